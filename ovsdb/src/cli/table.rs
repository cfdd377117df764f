//! Tables on standard output, in the formats of `--format` and `--data`: shared by ovsdb-client and
//! ovs-vsctl.

use serde_json::{Value, json};

use crate::json;
use crate::value::{ColumnType, Datum};

/// `--format`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    #[default]
    Table,
    List,
    Html,
    Csv,
    Json,
}

/// `--data`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Data {
    #[default]
    String,
    Bare,
    Json,
}

/// How tables are printed.
#[derive(Clone, Debug)]
pub struct Style {
    pub format: Format,
    pub data: Data,
    pub headings: bool,
    /// Indents JSON.
    pub pretty: bool,
    /// Characters per column; 0 for no limit.
    pub max_column_width: usize,
}

impl Default for Style {
    fn default() -> Self {
        Self {
            format: Format::default(),
            data: Data::default(),
            headings: true,
            pretty: false,
            max_column_width: 0,
        }
    }
}

impl Style {
    /// Takes `format`, `data`, `no-headings`, `pretty`, `bare` or `max-column-width`; `Ok(false)` if
    /// it is another option.
    ///
    /// # Errors
    /// The sentence to print.
    pub fn apply(&mut self, option: &str, value: Option<&str>) -> Result<bool, String> {
        let value = value.unwrap_or_default();
        match option {
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
            "bare" => (self.format, self.data, self.headings) = (Format::List, Data::Bare, false),
            "max-column-width" => {
                self.max_column_width = value.parse().map_err(|_| format!("bad column width \"{value}\""))?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// What stands in one place.
#[derive(Clone, Debug, Default)]
pub enum Cell {
    #[default]
    Empty,
    Text(String),
    Json(Value),
    Datum(Datum, ColumnType),
}

impl Cell {
    fn to_text(&self, data: Data) -> String {
        match self {
            Self::Empty => String::new(),
            Self::Text(s) => s.clone(),
            Self::Json(v) => json::to_string(v),
            Self::Datum(d, ty) => match data {
                Data::String => d.to_text(ty),
                Data::Bare => {
                    let mut s = String::new();
                    d.write_bare(&mut s);
                    s
                }
                Data::Json => {
                    let mut s = String::new();
                    d.write_json(ty, &mut s);
                    s
                }
            },
        }
    }

    fn to_json(&self) -> Value {
        match self {
            Self::Empty => "".into(),
            Self::Text(s) => s.as_str().into(),
            Self::Json(v) => v.clone(),
            Self::Datum(d, ty) => d.to_json(ty),
        }
    }
}

/// A table to print.
#[derive(Clone, Debug, Default)]
pub struct Table {
    pub caption: Option<String>,
    /// Printed above the caption.
    pub timestamp: Option<String>,
    pub headings: Vec<String>,
    pub rows: Vec<Vec<Cell>>,
}

impl Table {
    pub fn new(headings: &[&str]) -> Self {
        Self { headings: headings.iter().map(|&h| h.to_owned()).collect(), ..Self::default() }
    }

    /// The table as text, each line ended.
    pub fn format(&self, style: &Style) -> String {
        match style.format {
            Format::Table => self.as_table(style),
            Format::List => self.as_list(style),
            Format::Html => self.as_html(style),
            Format::Csv => self.as_csv(style),
            Format::Json => self.as_json(style),
        }
    }

    fn head(&self) -> String {
        let lines = self.timestamp.iter().chain(&self.caption);
        lines.map(|l| format!("{l}\n")).collect()
    }

    fn texts(&self, data: Data) -> Vec<Vec<String>> {
        self.rows.iter().map(|r| r.iter().map(|c| c.to_text(data)).collect()).collect()
    }

    fn as_table(&self, style: &Style) -> String {
        let rows = self.texts(style.data);
        let limit = if style.max_column_width == 0 { usize::MAX } else { style.max_column_width };
        let len = |s: &String| s.chars().count();
        let widths: Vec<usize> = self
            .headings
            .iter()
            .enumerate()
            .map(|(i, h)| {
                let cells = rows.iter().filter_map(|r| r.get(i)).map(len);
                let heading = if style.headings { len(h) } else { 0 };
                cells.max().unwrap_or(0).max(heading).min(limit)
            })
            .collect();
        let mut out = self.head();
        let mut line = |cells: &[String]| {
            let padded: Vec<String> = cells
                .iter()
                .zip(&widths)
                .map(|(c, &w)| {
                    let cut: String = c.chars().take(w).collect();
                    format!("{cut:w$}")
                })
                .collect();
            out.push_str(padded.join(" ").trim_end_matches(' '));
            out.push('\n');
        };
        if style.headings {
            line(&self.headings);
            line(&widths.iter().map(|&w| "-".repeat(w)).collect::<Vec<_>>());
        }
        for r in &rows {
            line(r);
        }
        out
    }

    fn as_list(&self, style: &Style) -> String {
        let mut out = self.head();
        for (i, row) in self.texts(style.data).iter().enumerate() {
            if i > 0 {
                out.push('\n');
            }
            for (heading, cell) in self.headings.iter().zip(row) {
                if style.headings {
                    out.push_str(&format!("{heading:<20}: "));
                }
                out.push_str(cell);
                out.push('\n');
            }
        }
        out
    }

    fn as_html(&self, style: &Style) -> String {
        let escape = |s: &str| {
            s.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
        };
        let mut out = String::from("<table border=1>\n");
        if let Some(c) = &self.caption {
            out.push_str(&format!("    <caption>{}</caption>\n", escape(c)));
        }
        let mut line = |tag: &str, cells: &[String]| {
            out.push_str("  <tr>\n");
            for c in cells {
                out.push_str(&format!("    <{tag}>{}</{tag}>\n", escape(c)));
            }
            out.push_str("  </tr>\n");
        };
        if style.headings {
            line("th", &self.headings);
        }
        for r in self.texts(style.data) {
            line("td", &r);
        }
        out.push_str("</table>\n");
        out
    }

    fn as_csv(&self, style: &Style) -> String {
        let quote = |s: &String| {
            if s.contains(['\n', '"', ',']) { format!("\"{}\"", s.replace('"', "\"\"")) } else { s.clone() }
        };
        let mut out = self.head();
        let mut line = |cells: &[String]| {
            out.push_str(&cells.iter().map(quote).collect::<Vec<_>>().join(","));
            out.push('\n');
        };
        if style.headings {
            line(&self.headings);
        }
        for r in self.texts(style.data) {
            line(&r);
        }
        out
    }

    fn as_json(&self, style: &Style) -> String {
        let rows = self.rows.iter().map(|r| r.iter().map(Cell::to_json).collect::<Value>());
        let mut v = json!({"headings": self.headings, "data": rows.collect::<Value>()});
        if let Some(c) = &self.caption {
            v["caption"] = c.as_str().into();
        }
        if let Some(t) = &self.timestamp {
            v["time"] = t.as_str().into();
        }
        let mut out = String::new();
        if style.pretty {
            json::write_pretty(&v, 0, &mut out);
        } else {
            json::write(&v, &mut out);
        }
        out.push('\n');
        out
    }
}
