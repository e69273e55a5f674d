//! Takes the body of a frames request apart and reads every frame.

use edgetally_proto::batch::Batch;
use edgetally_proto::error::DecodeError;
use edgetally_proto::frame;
use edgetally_proto::limits::FRAMES_PER_REQUEST_MAX;

use crate::site;

/// One frame of a request.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// Its number.
    pub sequence: u64,
    /// Its checksum; none where it has no head.
    pub checksum: Option<u64>,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What it says; none where nobody can read it, and then it is the last of the request.
    pub batch: Option<Batch>,
}

/// The frames of a request, in order.
#[derive(Debug, Clone)]
pub struct Intake {
    /// Those that can be judged here.
    pub frames: Vec<Incoming>,
    /// A version in the next frame that this build cannot read.
    pub unsupported: Option<u8>,
}

/// Why a request is refused whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IntakeError {
    /// The numbers in the headers make no sense.
    #[error("the numbers must begin at 1 and not go down")]
    Numbers,
    /// More frames than allowed.
    #[error("there are more than {FRAMES_PER_REQUEST_MAX} frames")]
    TooMany,
    /// Fewer or more frames in the body than the headers say.
    #[error("the body does not hold the frames that the headers number")]
    Count,
}

/// Takes a body apart that is said to hold the frames `first` to `last`.
///
/// A frame of a known version that cannot be read is kept as it is, as a dead letter. Without its
/// head nobody knows where it ends, so it ends the request in any case, and the sender goes on
/// after it.
///
/// # Errors
/// If headers and body do not fit each other.
pub fn read(first: u64, last: u64, body: &[u8]) -> Result<Intake, IntakeError> {
    if first == 0 || last < first {
        return Err(IntakeError::Numbers);
    }
    if last - first >= FRAMES_PER_REQUEST_MAX as u64 {
        return Err(IntakeError::TooMany);
    }
    let mut intake = Intake { frames: Vec::new(), unsupported: None };
    let mut rest = body;
    for sequence in first..=last {
        if rest.is_empty() {
            return Err(IntakeError::Count);
        }
        let head = frame::peek(rest).ok();
        let (bytes, after) = rest.split_at(head.map_or(rest.len(), |head| head.bytes));
        let batch = match decode(bytes) {
            Err(DecodeError::UnsupportedVersion(version)) => {
                intake.unsupported = Some(version);
                return Ok(intake);
            }
            read => read.ok(),
        };
        let is_dead = batch.is_none();
        let checksum = head.map(|head| head.checksum);
        intake.frames.push(Incoming { sequence, checksum, bytes: bytes.to_vec(), batch });
        if is_dead {
            return Ok(intake);
        }
        rest = after;
    }
    if rest.is_empty() { Ok(intake) } else { Err(IntakeError::Count) }
}

/// Reads one frame and checks that it can be folded in.
///
/// # Errors
/// If it is no frame, or says something impossible.
pub fn decode(bytes: &[u8]) -> Result<Batch, DecodeError> {
    let batch = frame::decode(bytes)?;
    for share in &batch.sites {
        site::check(share).map_err(DecodeError::Malformed)?;
    }
    Ok(batch)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame_at(committed_at_ms: i64) -> Vec<u8> {
        frame::encode(&Batch { committed_at_ms, sites: Vec::new() })
    }

    #[test]
    fn frames_stand_back_to_back() {
        let body = [frame_at(1), frame_at(2)].concat();
        let intake = read(7, 8, &body).unwrap();
        let times: Vec<i64> =
            intake.frames.iter().map(|f| f.batch.as_ref().unwrap().committed_at_ms).collect();
        assert_eq!(times, [1, 2]);
        assert_eq!(intake.frames[1].sequence, 8);
        assert_eq!(read(7, 9, &body).unwrap_err(), IntakeError::Count);
        assert_eq!(read(7, 7, &body).unwrap_err(), IntakeError::Count);
        assert_eq!(read(0, 1, &body).unwrap_err(), IntakeError::Numbers);
        assert_eq!(read(8, 7, &body).unwrap_err(), IntakeError::Numbers);
        assert_eq!(read(1, 65, &body).unwrap_err(), IntakeError::TooMany);
    }

    #[test]
    fn a_damaged_frame_is_dead_and_ends_the_request() {
        let mut body = [frame_at(1), frame_at(2), frame_at(3)].concat();
        let second = frame_at(1).len();
        body[second + 20] ^= 1;
        let intake = read(1, 3, &body).unwrap();
        assert_eq!(intake.frames.len(), 2);
        assert!(intake.frames[1].batch.is_none());
        assert!(intake.frames[1].checksum.is_some());
        body[second] ^= 1;
        let headless = read(1, 3, &body).unwrap();
        assert_eq!(headless.frames[1].checksum, None);
    }

    #[test]
    fn a_later_version_waits() {
        let mut body = [frame_at(1), frame_at(2)].concat();
        let second = frame_at(1).len();
        body[second + 3] = 9;
        let intake = read(1, 2, &body).unwrap();
        assert_eq!((intake.frames.len(), intake.unsupported), (1, Some(9)));
    }
}
