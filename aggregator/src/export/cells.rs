//! Rows as text: CSV and NDJSON.

use serde_json::Value;

use super::ExportError;
use super::columns::{Column, Kind};

/// What makes a spreadsheet take a text for a formula, and the mark that says it is none.
const FORMULAS: [char; 12] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠', MARK];
const MARK: char = '\'';

/// Names of the columns as files have them: money takes two.
#[must_use]
pub fn names(columns: &[Column]) -> Vec<String> {
    let names = |column: &Column| match column.kind {
        Kind::Money => vec![format!("{}_currency", column.name), column.name.to_owned()],
        _ => vec![column.name.to_owned()],
    };
    columns.iter().flat_map(names).collect()
}

/// Rows as CSV, after a line of names if that is due.
///
/// # Errors
/// If a row is none.
pub fn csv(columns: &[Column], rows: &[Value], with_head: bool) -> Result<Vec<u8>, ExportError> {
    let failed = |error: &dyn std::fmt::Display| ExportError::Row(error.to_string());
    let mut writer =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    if with_head {
        writer.write_record(names(columns)).map_err(|error| failed(&error))?;
    }
    for row in rows {
        let cells = columns.iter().flat_map(|column| cells(*column, &row[column.name]));
        writer.write_record(cells).map_err(|error| failed(&error))?;
    }
    writer.into_inner().map_err(|error| failed(&error))
}

fn cells(column: Column, value: &Value) -> Vec<String> {
    match (column.kind, value) {
        (Kind::Money, Value::Null) => vec![String::new(), String::new()],
        (Kind::Money, money) => vec![plain(&money["currency"]), plain(&money["amount"])],
        (_, Value::Null) => vec![String::new()],
        (Kind::Text, _) => vec![guarded(plain(value))],
        // What begins with a bracket is no formula, but an event may be a text that is no JSON.
        (Kind::Json | Kind::Moneys | Kind::Texts, _) => vec![guarded(value.to_string())],
        (Kind::Whole | Kind::Truth | Kind::Time | Kind::Date, _) => vec![plain(value)],
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A text that no spreadsheet takes for a formula. The mark goes before texts that begin with it
/// too, so that taking one away gives what there was.
fn guarded(text: String) -> String {
    if text.starts_with(FORMULAS) { format!("{MARK}{text}") } else { text }
}

/// Rows as lines of JSON.
#[must_use]
pub fn ndjson(rows: &[Value]) -> Vec<u8> {
    let mut text = String::new();
    for row in rows {
        text.push_str(&row.to_string());
        text.push('\n');
    }
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const COLUMNS: [Column; 4] = [
        Column { name: "city", kind: Kind::Text },
        Column { name: "value", kind: Kind::Money },
        Column { name: "tags", kind: Kind::Texts },
        Column { name: "count", kind: Kind::Whole },
    ];

    #[test]
    fn texts_are_no_formulas_and_numbers_stay_numbers() {
        let check = |city: &str, expected: &str| {
            let row = json!({"city": city, "value": {"currency": "VND", "amount": "-5"},
                "tags": ["a", "b,c"], "count": -1});
            let text = String::from_utf8(csv(&COLUMNS, &[row], false).unwrap()).unwrap();
            assert_eq!(text, format!("{expected},VND,-5,\"[\"\"a\"\",\"\"b,c\"\"]\",-1\r\n"));
        };
        check("Huế", "Huế");
        check("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0");
        check("+1", "'+1");
        check("-1", "'-1");
        check("@SUM(A1)", "'@SUM(A1)");
        check("\t=1", "'\t=1");
        check("\r=1", "\"'\r=1\"");
        check("＝1", "'＝1");
        check("'quoted", "''quoted");
        check("a=1", "a=1");
        check("", "");
        check("\"", "\"\"\"\"");
    }

    #[test]
    fn the_head_names_the_currency_and_nothing_is_empty() {
        let rows = [json!({"city": null, "value": null, "tags": [], "count": 0})];
        let text = String::from_utf8(csv(&COLUMNS, &rows, true).unwrap()).unwrap();
        assert_eq!(text, "city,value_currency,value,tags,count\r\n,,,[],0\r\n");
    }
}
