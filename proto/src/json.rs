//! JSON as it was sent: one pass over a text gives a flat list of its values, which borrow from it.
//!
//! Numbers stay the digits that were written, and every value knows the text it stands in, so that
//! nothing is lost on the way through here. The list is one allocation for a whole text; texts are
//! copied only where they have escapes.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write;

use hifijson::token::{Expect, Lex};
use hifijson::{Error, SliceLexer, num, str as text};

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Null,
    Bool(bool),
    Number,
    Text,
    Array,
    Object,
}

/// A value and where it stands; what is inside it comes right behind it.
#[derive(Debug, Clone)]
struct Node<'a> {
    /// The name of a member; empty elsewhere.
    key: &'a str,
    /// The value as written.
    raw: &'a str,
    /// What had escapes.
    resolved: Option<Box<Resolved>>,
    /// Values inside.
    inside: u32,
    kind: Kind,
}

/// Texts whose escapes were resolved; few are written with any.
#[derive(Debug, Clone, Default)]
struct Resolved {
    key: Option<String>,
    text: Option<String>,
}

/// A whole JSON text.
#[derive(Debug, Clone)]
pub struct Doc<'a> {
    nodes: Vec<Node<'a>>,
    longest: usize,
}

/// Why a text is no JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Arrays and objects inside each other, too many of them.
    #[error("nested deeper than {0}")]
    TooDeep(usize),
    /// What is wrong, and where.
    #[error("{what} at byte {at}")]
    Syntax {
        /// For people.
        what: String,
        /// Bytes before it.
        at: usize,
    },
}

impl<'a> Doc<'a> {
    /// Reads a JSON text that is nested at most `depth_max` deep.
    ///
    /// # Errors
    /// If it is no JSON, or nested deeper.
    pub fn parse(body: &'a [u8], depth_max: usize) -> Result<Self, JsonError> {
        let text = std::str::from_utf8(body).map_err(|error| JsonError::Syntax {
            what: "no UTF-8".to_owned(),
            at: error.valid_up_to(),
        })?;
        let mut lexer = SliceLexer::new(body);
        // A value with its name is seldom shorter.
        let nodes = Vec::with_capacity(body.len() / 20 + 4);
        let mut reader = Reader { text, depth_max, doc: Self { nodes, longest: 0 } };
        let read = lexer.exactly_one(Lex::ws_peek, |next, lexer| {
            reader.value(Cow::Borrowed(""), next, lexer, 0)
        });
        match read {
            Ok(()) => Ok(reader.doc),
            Err(Error::Depth) => Err(JsonError::TooDeep(depth_max)),
            Err(error) => {
                let at = reader.offset(&lexer);
                Err(JsonError::Syntax { what: error.to_string(), at })
            }
        }
    }

    /// The outermost value.
    #[must_use]
    pub fn root(&self) -> Json<'_> {
        Json { nodes: &self.nodes }
    }

    /// Bytes of the longest text, names included.
    #[must_use]
    pub fn longest(&self) -> usize {
        self.longest
    }
}

struct Reader<'a> {
    text: &'a str,
    depth_max: usize,
    doc: Doc<'a>,
}

impl<'a> Reader<'a> {
    fn offset(&self, lexer: &SliceLexer<'a>) -> usize {
        self.text.len() - lexer.as_slice().len()
    }

    /// Reads the value that begins with `next`, and what is inside.
    fn value(
        &mut self,
        key: Cow<'a, str>,
        next: u8,
        lexer: &mut SliceLexer<'a>,
        depth: usize,
    ) -> Result<(), Error> {
        let from = self.offset(lexer);
        let at = self.doc.nodes.len();
        let (key, escaped) = match key {
            Cow::Borrowed(key) => (key, None),
            Cow::Owned(key) => ("", Some(Box::new(Resolved { key: Some(key), text: None }))),
        };
        let mut node = Node { key, raw: "", resolved: escaped, inside: 0, kind: Kind::Null };
        match next {
            b'"' => {
                node.kind = Kind::Text;
                if let Cow::Owned(text) = self.string(lexer)? {
                    node.resolved.get_or_insert_default().text = Some(text);
                }
            }
            b'0'..=b'9' | b'-' => {
                node.kind = Kind::Number;
                num::Lex::num_ignore(lexer).validate()?;
            }
            b'[' | b'{' => {
                node.kind = if next == b'[' { Kind::Array } else { Kind::Object };
                self.doc.nodes.push(node);
                if depth >= self.depth_max {
                    return Err(Error::Depth);
                }
                match next {
                    b'[' => self.items(lexer, depth + 1)?,
                    _ => self.members(lexer, depth + 1)?,
                }
                let (end, count) = (self.offset(lexer), self.doc.nodes.len());
                if let Some(node) = self.doc.nodes.get_mut(at) {
                    node.raw = self.text.get(from..end).unwrap_or_default();
                    node.inside = u32::try_from(count - at - 1).unwrap_or(u32::MAX);
                }
                return Ok(());
            }
            b'n' | b't' | b'f' => {
                let read = lexer.null_or_bool().ok_or(Expect::Value)?;
                node.kind = read.map_or(Kind::Null, Kind::Bool);
            }
            _ => return Err(Expect::Value.into()),
        }
        node.raw = self.text.get(from..self.offset(lexer)).unwrap_or_default();
        self.doc.nodes.push(node);
        Ok(())
    }

    fn items(&mut self, lexer: &mut SliceLexer<'a>, depth: usize) -> Result<(), Error> {
        lexer.discarded().seq(b']', Lex::ws_peek, |next, lexer| {
            self.value(Cow::Borrowed(""), next, lexer, depth)
        })
    }

    fn members(&mut self, lexer: &mut SliceLexer<'a>, depth: usize) -> Result<(), Error> {
        lexer.discarded().seq(b'}', Lex::ws_peek, |next, lexer| {
            if next != b'"' {
                return Err(Expect::String.into());
            }
            let key = self.string(lexer)?;
            lexer.expect(Lex::ws_peek, b':').ok_or(Expect::Colon)?;
            let next = lexer.ws_peek().ok_or(Expect::Value)?;
            self.value(key, next, lexer, depth)
        })
    }

    fn string(&mut self, lexer: &mut SliceLexer<'a>) -> Result<Cow<'a, str>, Error> {
        let string = text::LexAlloc::str_string(lexer.discarded())?;
        self.doc.longest = self.doc.longest.max(string.len());
        Ok(string)
    }
}

/// A value of a [`Doc`]; by default `null`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Json<'t> {
    /// The value and all that is inside it.
    nodes: &'t [Node<'t>],
}

impl<'t> Json<'t> {
    fn head(self) -> Option<&'t Node<'t>> {
        self.nodes.first()
    }

    fn kind(self) -> Kind {
        self.head().map_or(Kind::Null, |node| node.kind)
    }

    /// The value as written.
    #[must_use]
    pub fn raw(self) -> &'t str {
        self.head().map_or("null", |node| node.raw)
    }

    /// Whether it is `null`.
    #[must_use]
    pub fn is_null(self) -> bool {
        self.kind() == Kind::Null
    }

    /// Whether it is an object.
    #[must_use]
    pub fn is_object(self) -> bool {
        self.kind() == Kind::Object
    }

    /// A truth value.
    #[must_use]
    pub fn as_bool(self) -> Option<bool> {
        match self.kind() {
            Kind::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// A text, its escapes resolved.
    #[must_use]
    pub fn as_str(self) -> Option<&'t str> {
        let node = self.head().filter(|node| node.kind == Kind::Text)?;
        let resolved = node.resolved.as_ref().and_then(|resolved| resolved.text.as_deref());
        resolved.or_else(|| node.raw.get(1..node.raw.len() - 1))
    }

    /// A number, as written.
    #[must_use]
    pub fn as_number(self) -> Option<&'t str> {
        self.head().filter(|node| node.kind == Kind::Number).map(|node| node.raw)
    }

    /// The members of an object, as often as they were written: of equal names the last one holds.
    #[must_use]
    pub fn members(self) -> Option<Members<'t>> {
        self.is_object().then_some(Members(self.inside()))
    }

    /// The values of an array.
    #[must_use]
    pub fn items(self) -> Option<impl Iterator<Item = Json<'t>> + use<'t>> {
        let inside = Members(self.inside());
        (self.kind() == Kind::Array).then_some(inside.map(|(_, value)| value))
    }

    /// The member of an object with a name.
    #[must_use]
    pub fn get(self, name: &str) -> Option<Json<'t>> {
        self.members()?.filter(|(of, _)| *of == name).last().map(|(_, value)| value)
    }

    /// Writes it in the one form in which equal values are equal texts: no white space, members in
    /// the order of their names, of equal names the last one; numbers as they were written.
    pub fn write_canonical(self, out: &mut String) {
        match self.kind() {
            Kind::Text => push_text(out, self.as_str().unwrap_or_default()),
            Kind::Array => {
                out.push('[');
                for (at, value) in self.items().into_iter().flatten().enumerate() {
                    out.push_str(if at > 0 { "," } else { "" });
                    value.write_canonical(out);
                }
                out.push(']');
            }
            Kind::Object => {
                out.push('{');
                for (at, (name, value)) in self.sorted().into_iter().enumerate() {
                    out.push_str(if at > 0 { "," } else { "" });
                    push_text(out, name);
                    out.push(':');
                    value.write_canonical(out);
                }
                out.push('}');
            }
            _ => out.push_str(self.raw()),
        }
    }

    /// The members of an object by name; of equal names the last one.
    #[must_use]
    pub fn sorted(self) -> BTreeMap<&'t str, Json<'t>> {
        self.members().into_iter().flatten().collect()
    }

    fn inside(self) -> &'t [Node<'t>] {
        self.nodes.get(1..).unwrap_or_default()
    }
}

/// Writes a text as JSON.
pub fn push_text(out: &mut String, text: &str) {
    let is_plain = |byte: u8| byte >= 0x20 && byte != b'"' && byte != b'\\';
    out.push('"');
    if text.bytes().all(is_plain) {
        out.push_str(text);
    } else {
        for character in text.chars() {
            push_escaped(out, character);
        }
    }
    out.push('"');
}

fn push_escaped(out: &mut String, character: char) {
    match character {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\x08' => out.push_str("\\b"),
        '\x0c' => out.push_str("\\f"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        // A text takes everything that is written to it.
        '\0'..='\x1f' => drop(write!(out, "\\u{:04x}", u32::from(character))),
        other => out.push(other),
    }
}

/// Goes through the members of an object, in the order in which they were written.
#[derive(Debug, Clone)]
pub struct Members<'t>(&'t [Node<'t>]);

impl<'t> Iterator for Members<'t> {
    type Item = (&'t str, Json<'t>);

    fn next(&mut self) -> Option<Self::Item> {
        let node = self.0.first()?;
        let inside = usize::try_from(node.inside).ok()?;
        let (nodes, rest) = self.0.split_at_checked(inside + 1)?;
        self.0 = rest;
        let escaped = node.resolved.as_ref().and_then(|resolved| resolved.key.as_deref());
        Some((escaped.unwrap_or(node.key), Json { nodes }))
    }
}
