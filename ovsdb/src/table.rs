//! Tables as ovs-vsctl and ovsdb-client print them: `--format=table|list|html|csv|json`,
//! `--data=string|bare|json`, `--no-headings`, `--pretty`, `--bare`, `--max-column-width`.
//!
//! Pure text; the caller prints it. Sees `value` only.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::json;
use crate::value::{ColumnType, Datum, parse_uuid};

/// What a cell holds.
#[derive(Clone, Debug)]
pub enum Cell {
    /// Text, the same in every `--data`.
    Text(String),
    /// A column's value.
    Datum(Datum, ColumnType),
    /// Any JSON, printed as such.
    Json(Value),
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// A table: every row has as many cells as there are headings.
#[derive(Clone, Debug, Default)]
pub struct Table {
    pub caption: Option<String>,
    /// The time of a monitored change, as text.
    pub timestamp: Option<String>,
    pub headings: Vec<String>,
    pub rows: Vec<Vec<Cell>>,
}

/// How the table is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Table,
    List,
    Html,
    Csv,
    Json,
}

/// How a cell is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Data {
    String,
    Bare,
    Json,
}

/// The options.
#[derive(Clone, Debug)]
pub struct Style {
    pub format: Format,
    pub data: Data,
    pub headings: bool,
    pub pretty: bool,
    /// Bytes of a cell that `Format::Table` shows; 0: all.
    pub max_column_width: usize,
}

impl Style {
    /// The default of a tool: `list` for ovs-vsctl, `table` for ovsdb-client.
    pub fn new(format: Format) -> Self {
        Self { format, data: Data::String, headings: true, pretty: false, max_column_width: 0 }
    }

    /// Takes the option `name` (its long name). `Ok(false)`: not one of ours.
    ///
    /// # Errors
    /// OVS's sentence.
    pub fn apply(&mut self, name: &str, value: Option<&str>) -> Result<bool, String> {
        let value = value.unwrap_or_default();
        match name {
            "format" => {
                self.format = match value {
                    "table" => Format::Table,
                    "list" => Format::List,
                    "html" => Format::Html,
                    "csv" => Format::Csv,
                    "json" => Format::Json,
                    _ => return Err(format!("unknown output format \"{value}\"")),
                }
            }
            "data" => {
                self.data = match value {
                    "string" => Data::String,
                    "bare" => Data::Bare,
                    "json" => Data::Json,
                    _ => return Err(format!("unknown data format \"{value}\"")),
                }
            }
            "no-headings" => self.headings = false,
            "pretty" => self.pretty = true,
            "bare" => {
                (self.format, self.data, self.headings) = (Format::List, Data::Bare, false);
            }
            "max-column-width" => {
                self.max_column_width =
                    value.parse().map_err(|_| format!("{value}: bad argument to --max-column-width"))?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn cell(&self, cell: &Cell) -> String {
        match (cell, self.data) {
            (Cell::Text(text), _) => text.clone(),
            (Cell::Json(value), _) => json::to_string(value),
            (Cell::Datum(datum, ty), Data::String) => datum.to_text(ty),
            (Cell::Datum(datum, ty), Data::Json) => json::to_string(&datum.to_json(ty)),
            (Cell::Datum(datum, _), Data::Bare) => {
                let mut out = String::new();
                datum.write_bare(&mut out);
                out
            }
        }
    }
}

impl Table {
    /// A table with these headings.
    pub fn new(headings: &[&str]) -> Self {
        Self { headings: headings.iter().map(|h| (*h).to_owned()).collect(), ..Self::default() }
    }

    /// Appends the table to `out`. `first`: whether it is the first of the program's output
    /// (later ones are set off by a blank line); it becomes false.
    pub fn write(&self, style: &Style, first: &mut bool, out: &mut String) {
        if !std::mem::replace(first, false) && style.format != Format::Json {
            out.push('\n');
        }
        match style.format {
            Format::Table => self.write_table(style, out),
            Format::List => self.write_list(style, out),
            Format::Html => self.write_html(style, out),
            Format::Csv => self.write_csv(style, out),
            Format::Json => self.write_json(style, out),
        }
    }

    fn text(&self, style: &Style) -> Vec<Vec<String>> {
        self.rows.iter().map(|row| row.iter().map(|cell| style.cell(cell)).collect()).collect()
    }

    fn write_title(&self, out: &mut String) {
        for line in self.timestamp.iter().chain(&self.caption) {
            out.push_str(line);
            out.push('\n');
        }
    }

    fn write_table(&self, style: &Style, out: &mut String) {
        self.write_title(out);
        let rows = self.text(style);
        let limit = match style.max_column_width {
            0 => usize::MAX,
            max => max,
        };
        let widths: Vec<usize> = (0..self.headings.len())
            .map(|at| {
                let cells = rows.iter().filter_map(|row| row.get(at)).map(String::len);
                let heading = if style.headings { self.headings[at].len() } else { 0 };
                cells.max().unwrap_or(0).min(limit).max(heading)
            })
            .collect();
        if style.headings {
            write_padded(&self.headings, &widths, out);
            let dashes: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
            write_padded(&dashes, &widths, out);
        }
        for row in &rows {
            write_padded(row, &widths, out);
        }
    }

    fn write_list(&self, style: &Style, out: &mut String) {
        self.write_title(out);
        for (at, row) in self.text(style).iter().enumerate() {
            if at > 0 {
                out.push('\n');
            }
            for (heading, cell) in self.headings.iter().zip(row) {
                if style.headings {
                    let _ = write!(out, "{heading:<20}: ");
                }
                out.push_str(cell);
                out.push('\n');
            }
        }
    }

    fn write_html(&self, style: &Style, out: &mut String) {
        out.push_str("<table border=1>\n");
        if let Some(caption) = &self.caption {
            let _ = writeln!(out, "    <caption>{}</caption>", escape(caption));
        }
        if style.headings {
            out.push_str("  <tr>\n");
            for heading in &self.headings {
                let _ = writeln!(out, "    <th>{}</th>", escape(heading));
            }
            out.push_str("  </tr>\n");
        }
        for row in self.text(style) {
            out.push_str("  <tr>\n");
            for (heading, cell) in self.headings.iter().zip(&row) {
                let html = if heading == "_uuid" {
                    let short: String = cell.chars().take(8).collect();
                    format!("<a name=\"{}\">{}</a>", escape(cell), escape(&short))
                } else {
                    linked(cell)
                };
                let _ = writeln!(out, "    <td>{html}</td>");
            }
            out.push_str("  </tr>\n");
        }
        out.push_str("</table>\n");
    }

    fn write_csv(&self, style: &Style, out: &mut String) {
        self.write_title(out);
        let headings = style.headings.then(|| self.headings.clone());
        for row in headings.into_iter().chain(self.text(style)) {
            let cells: Vec<String> = row.iter().map(|cell| quoted(cell)).collect();
            out.push_str(&cells.join(","));
            out.push('\n');
        }
    }

    fn write_json(&self, style: &Style, out: &mut String) {
        let cell = |cell: &Cell| match cell {
            Cell::Text(text) => Value::from(text.as_str()),
            Cell::Datum(datum, ty) => datum.to_json(ty),
            Cell::Json(value) => value.clone(),
        };
        let rows = self.rows.iter().map(|row| row.iter().map(cell).collect::<Value>());
        let mut object = Map::new();
        if let Some(caption) = &self.caption {
            object.insert("caption".into(), caption.as_str().into());
        }
        if let Some(time) = &self.timestamp {
            object.insert("time".into(), time.as_str().into());
        }
        object.insert("headings".into(), self.headings.clone().into());
        object.insert("data".into(), rows.collect());
        let json = Value::Object(object);
        if style.pretty {
            write_pretty(&json, 0, out);
        } else {
            out.push_str(&json::to_string(&json));
        }
        out.push('\n');
    }
}

/// One line of cells, each padded to its width and cut at it; without spaces at its end.
fn write_padded(cells: &[String], widths: &[usize], out: &mut String) {
    for (at, (cell, width)) in cells.iter().zip(widths).enumerate() {
        if at > 0 {
            out.push(' ');
        }
        let mut end = cell.len().min(*width);
        while !cell.is_char_boundary(end) {
            end -= 1;
        }
        out.push_str(&cell[..end]);
        out.extend(std::iter::repeat_n(' ', width - end));
    }
    out.truncate(out.trim_end_matches(' ').len());
    out.push('\n');
}

fn quoted(cell: &str) -> String {
    if cell.contains(['"', ',', '\n', '\r']) || cell.starts_with([' ', '\t']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}

/// HTML with each UUID a link to its row.
fn linked(text: &str) -> String {
    let (mut out, mut plain) = (String::new(), 0);
    let mut at = 0;
    while at < text.len() {
        match text.get(at..at + 36).filter(|s| parse_uuid(s).is_some()) {
            Some(uuid) => {
                out.push_str(&escape(&text[plain..at]));
                let _ = write!(out, "<a href=\"#{uuid}\">{}</a>", &uuid[..8]);
                at += 36;
                plain = at;
            }
            None => at += text[at..].chars().next().map_or(1, char::len_utf8),
        }
    }
    out.push_str(&escape(&text[plain..]));
    out
}

/// OVS's indented JSON: one element per line, brackets closed at the last one's end.
pub fn write_pretty(json: &Value, indent: usize, out: &mut String) {
    let line = |out: &mut String, at: usize| {
        out.push_str(if at > 0 { ",\n" } else { "\n" });
        out.extend(std::iter::repeat_n(' ', indent + 2));
    };
    match json {
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                line(out, at);
                write_pretty(item, indent + 2, out);
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(name, _)| name.as_str());
            for (at, (name, value)) in members.into_iter().enumerate() {
                line(out, at);
                out.push_str(&json::to_string(&Value::from(name.as_str())));
                out.push_str(": ");
                write_pretty(value, indent + 2, out);
            }
            out.push('}');
        }
        scalar => out.push_str(&json::to_string(scalar)),
    }
}
