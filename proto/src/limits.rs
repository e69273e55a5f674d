//! Every limit in one place: unit in the name, reason beside it, relations held at compile time.

/// Largest body with a write key, before and after decompression: the keepalive quota of browsers.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// Largest body with a server key in the header.
pub const SERVER_BODY_BYTES_MAX: usize = 1024 * 1024;
/// Most events of a batch with a write key.
pub const EVENTS_MAX: usize = 50;
/// Most events of a batch with a server key.
pub const SERVER_EVENTS_MAX: usize = 1_000;
/// Deepest nesting of arrays and objects in a body.
pub const JSON_DEPTH_MAX: usize = 64;
/// Deepest nesting of what the edge makes of another system's call: its members move to others, and
/// texts of Plausible's are JSON themselves.
pub const MAPPED_DEPTH_MAX: usize = 2 * JSON_DEPTH_MAX;
/// Longest text of a parameter, in characters.
pub const TEXT_CHARS_MAX: usize = 1_024;
/// Longest URL, in characters.
pub const URL_CHARS_MAX: usize = 2_048;
/// Most items of one event.
pub const ITEMS_MAX: usize = 200;
/// Largest quantity of one item.
pub const QUANTITY_MAX: i64 = 1_000_000;
/// Largest amount of money, in minor units: sums of 9,000 of them still fit an `i64`.
pub const MINOR_UNITS_MAX: i64 = 1_000_000_000_000_000;

/// Rejected events of one code that a site keeps in one window: as many as the aggregator keeps of
/// an hour.
pub const LETTERS_PER_CODE_MAX: usize = 1_000;
/// Bytes of all dead letters of a site in one window: bad events must not crowd out good ones.
pub const LETTERS_BYTES_MAX: usize = 512 * 1024;
/// Bytes of one dead letter; a longer event is only counted.
pub const LETTER_BYTES_MAX: usize = 8 * 1024;

/// Frames of one request to the aggregator.
pub const FRAMES_PER_REQUEST_MAX: usize = 64;
/// Bytes of one request to the aggregator.
pub const FRAMES_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Characters of the name of a region or city.
pub const PLACE_CHARS_MAX: usize = 128;
/// Characters kept of the value of a click id; advertisers' own are shorter.
pub const CLICK_CHARS_MAX: usize = 512;
/// Bytes of one frame: below the 2 MB that a row of a Durable Object's SQLite may have.
pub const FRAME_BYTES_MAX: usize = 1_900_000;
/// An open window is committed at once when its records weigh this much.
pub const WINDOW_BYTES_MAX: usize = 1_000_000;
/// Longest wait of a held request for its commit.
pub const COMMIT_INTERVAL_MS: i64 = 250;
/// Events that make a commit due before the interval is over.
pub const COMMIT_EVENTS: usize = 256;
/// Slots of a shard's ring; at four commits a second more than two minutes, so that the frames
/// of a minute are still there when the minute's row of ids is written.
pub const RING_SLOTS: u64 = 4_096;
/// Minutes for which a shard remembers event ids.
pub const IDS_MINUTES: i64 = 15;
/// Event ids that a shard remembers at most.
pub const IDS_MAX: usize = 1 << 20;
/// What is committed goes to the archive after this long, in objects of a minute.
pub const ARCHIVE_AFTER_MS: i64 = 60_000;
/// An object of the archive is closed when what it holds weighs this much before compression.
pub const OBJECT_BYTES_MAX: u64 = 2 * 1024 * 1024;
/// Bytes of a row of lines that wait for the archive, but for a last line that exceeds them.
pub const RAW_ROW_BYTES_MAX: usize = 750_000;
/// Lines of one request that keep all of their context weigh this much at most.
pub const LINES_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes of lines with which a window is committed at once.
pub const RAW_WINDOW_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Bytes of lines that may wait while the bucket refuses them; then the shard takes no more. A
/// shard's storage holds 10 GB, of which the ring may take four fifths.
pub const RAW_BYTES_MAX: u64 = 1 << 30;
/// How far ahead the safety alarm of a shard is set.
pub const ALARM_MS: i64 = 30_000;
/// Shards of each home region.
pub const SHARDS_PER_REGION: u64 = 64;
/// Shards over which one site may be spread.
pub const SPREAD_MAX: u8 = 64;

const _: () = assert!(SERVER_BODY_BYTES_MAX > BODY_BYTES_MAX);
const _: () = assert!(FRAME_BYTES_MAX < FRAMES_BYTES_MAX);
// A window is closed before it outgrows a row, with one more full request folded in.
const _: () = assert!(WINDOW_BYTES_MAX + SERVER_BODY_BYTES_MAX / 2 < FRAME_BYTES_MAX);
// A row holds at least one line, made of an event of the largest body.
const _: () = assert!(RAW_ROW_BYTES_MAX + SERVER_BODY_BYTES_MAX < FRAME_BYTES_MAX);
const _: () = assert!(RING_SLOTS * FRAME_BYTES_MAX as u64 + RAW_BYTES_MAX < 10_000_000_000);
const _: () = assert!(LETTER_BYTES_MAX < LETTERS_BYTES_MAX && LETTERS_BYTES_MAX < WINDOW_BYTES_MAX);
const _: () = assert!(RING_SLOTS > 2 * 60 * 1_000 / COMMIT_INTERVAL_MS as u64);
// A site's shards are different ones, and a spread that doubles moves only half of its clients.
const _: () = assert!(SHARDS_PER_REGION.is_power_of_two());
const _: () = assert!(SPREAD_MAX as u64 <= SHARDS_PER_REGION && SPREAD_MAX.is_power_of_two());
const _: () = assert!(i64::MAX / MINOR_UNITS_MAX > 9_000);
