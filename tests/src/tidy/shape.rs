//! How long things may be, and what may not be left lying about.

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use crate::tidy::{Finding, Source};

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;
const COLUMNS_MAX: usize = 100;

// Written in two halves, or this file would break its own rule.
const LEFT_OVERS: [&str; 5] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("to", "do!("),
    concat!("unimple", "mented!("),
];

/// Length of files, functions and lines; left-overs; sizes that differ between machines.
pub fn check_shape(source: &Source) -> Vec<Finding> {
    let mut findings = check_lines(source);
    if source.is_rust() {
        match syn::parse_file(&source.text) {
            Ok(file) => {
                let mut visitor = Shape { source, findings: Vec::new() };
                visitor.visit_file(&file);
                findings.append(&mut visitor.findings);
            }
            Err(error) => findings.push(Finding::new(source, 0, format!("no Rust: {error}"))),
        }
    }
    findings
}

fn check_lines(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    // Prose wraps where it likes, and pages carry drawings in long attributes.
    let is_code = !matches!(source.extension(), "md" | "html" | "toml");
    let count = source.text.lines().count();
    if is_code && !source.is_test() && count > FILE_LINES_MAX {
        let message = format!("{count} lines: split it, {FILE_LINES_MAX} is the limit");
        findings.push(Finding::new(source, 0, message));
    }
    for (number, line) in source.text.lines().enumerate() {
        let columns = line.chars().count();
        if is_code && columns > COLUMNS_MAX {
            let message = format!("{columns} columns, {COLUMNS_MAX} is the limit");
            findings.push(Finding::new(source, number + 1, message));
        }
        if let Some(word) = LEFT_OVERS.iter().find(|word| has_word(line, word)) {
            findings.push(Finding::new(source, number + 1, format!("{word} was left here")));
        }
    }
    findings
}

fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        let after = line[start + word.len()..].chars().next();
        let joins = |letter: Option<char>| letter.is_some_and(|l| l.is_alphanumeric() || l == '_');
        // In quotes it is a value, such as the code of no currency.
        !joins(before)
            && !matches!(before, Some('"' | '`'))
            && (word.ends_with('(') || !joins(after))
    })
}

struct Shape<'a> {
    source: &'a Source,
    findings: Vec<Finding>,
}

impl Shape<'_> {
    fn check_function(&mut self, name: &syn::Ident, span: Span) {
        let lines = span.end().line + 1 - span.start().line;
        if lines > FUNCTION_LINES_MAX {
            let message = format!("fn {name} has {lines} lines, {FUNCTION_LINES_MAX} is the limit");
            self.findings.push(Finding::new(self.source, span.start().line, message));
        }
    }

    fn check_fields(&mut self, attributes: &[syn::Attribute], fields: &syn::Fields) {
        let on_the_wire = self.source.path.starts_with("proto/src/")
            && attributes.iter().any(|attribute| names(attribute, "Serialize"));
        for field in fields.iter().filter(|_| on_the_wire) {
            let mut sizes = Sizes(None);
            sizes.visit_type(&field.ty);
            if let Some(name) = sizes.0 {
                let message = format!("{name} on the wire: its width differs between machines");
                let line = field.span().start().line;
                self.findings.push(Finding::new(self.source, line, message));
            }
        }
    }
}

impl<'ast> Visit<'ast> for Shape<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.check_function(&item.sig.ident, item.block.span());
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.check_function(&item.sig.ident, item.block.span());
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.check_fields(&item.attrs, &item.fields);
        visit::visit_item_struct(self, item);
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        for variant in &item.variants {
            self.check_fields(&item.attrs, &variant.fields);
        }
        visit::visit_item_enum(self, item);
    }
}

struct Sizes(Option<String>);

impl<'ast> Visit<'ast> for Sizes {
    fn visit_ident(&mut self, ident: &'ast syn::Ident) {
        if ident == "usize" || ident == "isize" {
            self.0 = Some(ident.to_string());
        }
    }
}

fn names(attribute: &syn::Attribute, derive: &str) -> bool {
    let mut found = false;
    if attribute.path().is_ident("derive") {
        // A derive that cannot be read does not compile either.
        let _ = attribute.parse_nested_meta(|meta| {
            found |= meta.path.segments.last().is_some_and(|last| last.ident == derive);
            Ok(())
        });
    }
    found
}
