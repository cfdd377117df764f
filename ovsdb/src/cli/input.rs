//! Schema files and JSON of the command line, with OVS's words for what is wrong.

use std::path::Path;

use serde_json::Value;

use crate::schema::Schema;

/// Reads a schema file; gives its JSON too.
///
/// # Errors
/// The sentence to print.
pub fn load_schema(path: &Path) -> Result<(Schema, Value), String> {
    let shown = path.display();
    let unreadable =
        |why: String| format!("failed to read schema: \"{shown}\" could not be read as JSON ({why})");
    let bytes = std::fs::read(path)
        .map_err(|e| unreadable(format!("error opening \"{shown}\": {}", transport::strerror(&e))))?;
    let json = crate::json::parse(&bytes).map_err(|e| unreadable(json_problem(&bytes, &e)))?;
    let schema = Schema::from_json(&json).map_err(|e| {
        let details =
            format!("failed to parse \"{shown}\" as ovsdb schema: {}", e.details().unwrap_or_default());
        e.with_details(details).to_string()
    })?;
    Ok((schema, json))
}

/// Reads the JSON value in a command-line argument.
///
/// # Errors
/// The sentence to print.
pub fn parse_argument(text: &str) -> Result<Value, String> {
    let word: String = text.chars().take_while(char::is_ascii_alphabetic).collect();
    let n = word.len();
    if !word.is_empty() && !matches!(word.as_str(), "true" | "false" | "null") {
        return Err(format!("\"{text}\": line 0, column {n}, byte {n}: invalid keyword '{word}'"));
    }
    if !text.trim_start().starts_with(['[', '{']) {
        return Err(format!("\"{text}\": line 0, column 1, byte 1: syntax error at beginning of input"));
    }
    let parsed = crate::json::parse(text.as_bytes());
    parsed.map_err(|e| format!("\"{text}\": {}", json_problem(text.as_bytes(), &e)))
}

/// Where the input ends too early, as OVS says it; other problems in our parser's words.
pub fn json_problem(text: &[u8], e: &impl std::fmt::Display) -> String {
    let problem = e.to_string();
    if !problem.contains("EOF while parsing") {
        return problem;
    }
    let line = text.iter().filter(|&&b| b == b'\n').count();
    let column = text.iter().rev().take_while(|&&b| b != b'\n').count();
    format!("line {line}, column {column}, byte {}: unexpected end of input", text.len())
}

#[cfg(test)]
#[test]
fn the_end_of_the_input_is_named() {
    let problem =
        |text: &str| json_problem(text.as_bytes(), &crate::json::parse(text.as_bytes()).unwrap_err());
    assert_eq!(problem("{\"name\": "), "line 0, column 9, byte 9: unexpected end of input");
    assert_eq!(problem("[1,\n2"), "line 1, column 1, byte 5: unexpected end of input");
    assert!(!problem("[1 2]").contains("unexpected end"));
}
