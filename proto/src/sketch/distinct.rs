//! How many different ones there were: HyperLogLog++ with 2^14 registers.
//!
//! Up to 4,096 different hashes are kept as tokens of 25 bits and so nearly exactly; more become
//! registers, which a merge takes the larger of. Both follow from the set alone. The estimate is
//! not made here: it needs tables that only the aggregator carries.

use crate::columns::{Reader, Writer};
use crate::error::DecodeError;

/// Bits of a hash that choose a register.
pub const PRECISION: u32 = 14;
/// Registers.
pub const REGISTERS: usize = 1 << PRECISION;
/// Bits of a hash that a token keeps.
pub const SPARSE_PRECISION: u32 = 25;
/// Most tokens; as many take the room of the registers.
pub const TOKENS_MAX: usize = REGISTERS / 4;

/// Bits of a register when written.
const REGISTER_BITS: usize = 6;
/// The largest rank of a register: all other bits of a hash are zero.
const RANK_MAX: u8 = (64 - PRECISION + 1) as u8;
const SPARSE: u8 = 1;
const DENSE: u8 = 2;

/// A token: 25 bits of a hash above 6 bits of rank. The rank is only there if it is needed, which
/// is when the register does not follow from the 25 bits.
type Token = u32;
const RANK_BITS: u32 = 6;
const BETWEEN: u32 = SPARSE_PRECISION - PRECISION;

fn token_of(hash: u64) -> Token {
    let index = (hash >> (64 - SPARSE_PRECISION)) as u32;
    let is_needed = index & ((1 << BETWEEN) - 1) == 0;
    // A one behind the hash bounds the rank.
    let rest = hash << SPARSE_PRECISION | 1 << (SPARSE_PRECISION - 1);
    let rank = if is_needed { rest.leading_zeros() + 1 } else { 0 };
    index << RANK_BITS | rank
}

/// The register of a token, and its rank.
fn register_of(token: Token) -> (usize, u8) {
    let index = token >> RANK_BITS;
    let between = index & ((1 << BETWEEN) - 1);
    let rank = match between {
        0 => BETWEEN + (token & ((1 << RANK_BITS) - 1)),
        _ => between.leading_zeros() - (32 - BETWEEN) + 1,
    };
    ((index >> BETWEEN) as usize, rank as u8)
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Form {
    /// Sorted; one token, the largest, for each 25 bits.
    Tokens(Vec<Token>),
    /// One rank for each register.
    Registers(Box<[u8; REGISTERS]>),
}

/// A set, as far as its size goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distinct(Form);

impl Default for Distinct {
    fn default() -> Self {
        Self(Form::Tokens(Vec::new()))
    }
}

/// What an estimate is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contents<'a> {
    /// So many different hashes, as far as 25 bits tell.
    Few(usize),
    /// Ranks of the registers.
    Many(&'a [u8; REGISTERS]),
}

impl Distinct {
    /// Adds a member by its hash; says whether that changed anything.
    pub fn insert(&mut self, hash: u64) -> bool {
        self.insert_token(token_of(hash))
    }

    fn insert_token(&mut self, token: Token) -> bool {
        match &mut self.0 {
            Form::Registers(registers) => raise(registers, token),
            Form::Tokens(tokens) => {
                let index = token >> RANK_BITS;
                match tokens.binary_search_by_key(&index, |held| held >> RANK_BITS) {
                    Ok(at) => match tokens.get_mut(at) {
                        Some(held) if *held < token => *held = token,
                        _ => return false,
                    },
                    Err(at) => tokens.insert(at, token),
                }
                if tokens.len() > TOKENS_MAX {
                    self.make_dense();
                }
                true
            }
        }
    }

    fn make_dense(&mut self) -> Option<&mut [u8; REGISTERS]> {
        if let Form::Tokens(tokens) = &self.0 {
            let mut registers = Box::new([0; REGISTERS]);
            tokens.iter().for_each(|token| {
                raise(&mut registers, *token);
            });
            self.0 = Form::Registers(registers);
        }
        match &mut self.0 {
            Form::Registers(registers) => Some(registers),
            Form::Tokens(_) => None,
        }
    }

    /// Adds the members of another set.
    pub fn merge(&mut self, other: &Self) {
        match &other.0 {
            Form::Tokens(tokens) => tokens.iter().for_each(|token| {
                self.insert_token(*token);
            }),
            Form::Registers(theirs) => {
                let Some(ours) = self.make_dense() else { return };
                for (ours, theirs) in ours.iter_mut().zip(theirs.iter()) {
                    *ours = (*ours).max(*theirs);
                }
            }
        }
    }

    /// What an estimate is made of.
    #[must_use]
    pub fn contents(&self) -> Contents<'_> {
        match &self.0 {
            Form::Tokens(tokens) => Contents::Few(tokens.len()),
            Form::Registers(registers) => Contents::Many(registers),
        }
    }

    /// Its bytes: the same set gives the same.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Writer::default();
        match &self.0 {
            Form::Tokens(tokens) => {
                out.byte(SPARSE);
                let mut before = 0;
                for token in tokens {
                    let (index, rank) = (token >> RANK_BITS, *token as u8 & 63);
                    out.unsigned(u64::from(index - before) << 1 | u64::from(rank > 0));
                    if rank > 0 {
                        out.byte(rank);
                    }
                    before = index;
                }
            }
            Form::Registers(registers) => {
                out.byte(DENSE);
                // Four registers of six bits are three bytes.
                for four in registers.chunks_exact(4) {
                    let ranks = four.iter().rev();
                    let bits =
                        ranks.fold(0u32, |bits, rank| bits << REGISTER_BITS | u32::from(*rank));
                    out.bytes(bits.to_le_bytes().get(..3).unwrap_or_default());
                }
            }
        }
        out.into_bytes()
    }

    /// Reads the bytes of a set.
    ///
    /// # Errors
    /// If they are not what [`Self::to_bytes`] writes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let (form, rest) = bytes.split_first().ok_or(DecodeError::Truncated)?;
        match *form {
            SPARSE => read_tokens(rest),
            DENSE => read_registers(rest),
            _ => Err(DecodeError::Malformed("no form of a set")),
        }
    }
}

/// Raises a register to a token's rank; says whether it was lower.
fn raise(registers: &mut [u8; REGISTERS], token: Token) -> bool {
    let (at, rank) = register_of(token);
    match registers.get_mut(at) {
        Some(held) if *held < rank => {
            *held = rank;
            true
        }
        _ => false,
    }
}

fn read_tokens(bytes: &[u8]) -> Result<Distinct, DecodeError> {
    const WRONG: DecodeError = DecodeError::Malformed("a token is none");
    let (mut reader, mut tokens, mut before) = (Reader::new(bytes), Vec::new(), 0u64);
    while !reader.is_at_end() {
        let head = reader.unsigned()?;
        let index = before.checked_add(head >> 1).ok_or(WRONG)?;
        let rank = if head & 1 == 1 { reader.byte()? } else { 0 };
        let is_needed = index & ((1 << BETWEEN) - 1) == 0;
        let largest = (64 - SPARSE_PRECISION + 1) as u8;
        let fits = if is_needed { (1..=largest).contains(&rank) } else { rank == 0 };
        let is_sorted = tokens.is_empty() || index > before;
        if !fits || !is_sorted || index >> SPARSE_PRECISION > 0 || tokens.len() == TOKENS_MAX {
            return Err(WRONG);
        }
        let index32 = u32::try_from(index).map_err(|_| WRONG)?;
        tokens.push(index32 << RANK_BITS | u32::from(rank));
        before = index;
    }
    Ok(Distinct(Form::Tokens(tokens)))
}

fn read_registers(bytes: &[u8]) -> Result<Distinct, DecodeError> {
    if bytes.len() != REGISTERS * REGISTER_BITS / 8 {
        return Err(DecodeError::Truncated);
    }
    let mut registers = Box::new([0; REGISTERS]);
    for (four, three) in registers.chunks_exact_mut(4).zip(bytes.chunks_exact(3)) {
        let mut bits = three.iter().rev().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte));
        for register in four {
            *register = bits as u8 & 63;
            bits >>= REGISTER_BITS;
        }
    }
    if registers.iter().any(|rank| *rank > RANK_MAX) {
        return Err(DecodeError::Malformed("a rank exceeds its hash"));
    }
    Ok(Distinct(Form::Registers(registers)))
}
