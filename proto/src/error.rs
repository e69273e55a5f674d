//! The closed lists of what the edge says about events, each with its stable code.

use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($(#[$doc:meta])* $name:ident {
        $($(#[$variant_doc:meta])* $variant:ident = $number:literal $code:literal,)*
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[repr(u8)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $code)] $variant = $number,)*
        }

        impl $name {
            /// All of them, in the order of their numbers on the wire.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable code, in answers and as a metric's label.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// The code with a number on the wire.
            #[must_use]
            pub fn from_wire(number: u8) -> Option<Self> {
                match number { $($number => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

codes! {
    /// Why an event is refused. The sender is told and must not send it again.
    RejectCode {
        /// Not `[a-z][a-z0-9_]{0,39}`.
        NameInvalid = 0 "name_invalid",
        /// A custom name that the site does not list.
        NameNotAllowed = 1 "name_not_allowed",
        /// A required member is absent, null or blank.
        MissingField = 2 "missing_field",
        /// Wrong type, or a text that cannot be read.
        ValueInvalid = 3 "value_invalid",
        /// A number outside its range.
        ValueOutOfBounds = 4 "value_out_of_bounds",
        /// Not in ISO 4217.
        CurrencyUnknown = 5 "currency_unknown",
        /// More than 200 items.
        TooManyItems = 6 "too_many_items",
        /// A text longer than its limit.
        FieldTooLong = 7 "field_too_long",
        /// No integer, or outside 2000 to 2100.
        TimestampInvalid = 8 "timestamp_invalid",
        /// Older than the key allows.
        TimestampTooOld = 9 "timestamp_too_old",
        /// Not 1 to 64 of `[A-Za-z0-9_.:-]`.
        IdInvalid = 10 "id_invalid",
        /// Not 1 to 128 printable characters.
        ClientIdInvalid = 11 "client_id_invalid",
        /// No consent, and the site takes no events without.
        ConsentDenied = 12 "consent_denied",
        /// Sent by a bot, and the site takes none of those.
        Bot = 13 "bot",
    }
}

codes! {
    /// What was changed or missed in an event that was accepted all the same.
    WarningCode {
        /// Decimals beyond the currency's were rounded.
        ValueRounded = 0 "value_rounded",
        /// A time in the future became the time of receipt.
        TimestampClamped = 1 "timestamp_clamped",
        /// A junk user id was read as absent.
        UserIdIgnored = 2 "user_id_ignored",
        /// Neither id nor time: sent again, it is another event.
        NotIdempotent = 3 "not_idempotent",
        /// Another system's name was mapped to ours.
        AliasUsed = 4 "alias_used",
    }
}

/// Why bytes are no frame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end too early.
    #[error("the frame is cut short")]
    Truncated,
    /// They do not begin like a frame.
    #[error("this is no frame")]
    Magic,
    /// A version that this build cannot read; the sender waits for the upgrade.
    #[error("version {0} of the frame is not known here")]
    UnsupportedVersion(u8),
    /// The body is not what was written.
    #[error("the checksum does not fit the body")]
    Checksum,
    /// The body is whole but says something impossible.
    #[error("{0}")]
    Malformed(&'static str),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_keep_their_numbers() {
        for (number, code) in (0u8..).zip(RejectCode::ALL) {
            assert_eq!(RejectCode::from_wire(number), Some(*code));
            let json = serde_json::to_string(code).unwrap();
            assert_eq!(json, format!("\"{}\"", code.as_str()));
        }
        assert_eq!(RejectCode::from_wire(14), None);
        assert_eq!(WarningCode::from_wire(3), Some(WarningCode::NotIdempotent));
    }
}
