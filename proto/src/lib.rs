//! The pure core that the edge and the aggregator share.
