//! Splitting an action list: `key`, `key:value`, `key=value`, `key(value)`, `key(value)->tail`.

/// One item of a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Item<'a> {
    pub key: &'a str,
    pub value: &'a str,
    /// After `->` behind the parenthesis.
    pub tail: &'a str,
    /// Everything of the item.
    pub whole: &'a str,
}

fn is_separator(c: char) -> bool {
    matches!(c, ',' | ' ' | '\t' | '\r' | '\n')
}

/// Bytes up to the parenthesis that closes the one before `text`, or the whole text.
fn closing(text: &str) -> usize {
    let mut depth = 0usize;
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' if depth == 0 => return at,
            ')' => depth -= 1,
            _ => {}
        }
    }
    text.len()
}

/// Bytes up to a separator outside parentheses.
fn word(text: &str) -> usize {
    let mut depth = 0usize;
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            c if depth == 0 && is_separator(c) => return at,
            _ => {}
        }
    }
    text.len()
}

/// The keys and values of `text`, as an action list is split.
pub fn key_values(text: &str) -> Vec<(String, String)> {
    items(text).map(|i| (i.key.to_owned(), i.value.to_owned())).collect()
}

/// The items of `text`.
pub(super) fn items(text: &str) -> impl Iterator<Item = Item<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let start = rest.trim_start_matches(is_separator);
        if start.is_empty() {
            return None;
        }
        let key_len = start.find(|c| is_separator(c) || matches!(c, ':' | '=' | '(')).unwrap_or(start.len());
        let (key, after) = start.split_at(key_len);
        let (mut value, mut tail, end);
        match after.as_bytes().first() {
            Some(b':' | b'=') => {
                let len = word(&after[1..]);
                value = &after[1..1 + len];
                tail = "";
                end = key_len + 1 + len;
            }
            Some(b'(') => {
                let len = closing(&after[1..]);
                value = &after[1..1 + len];
                let behind = after.get(len + 2..).unwrap_or("");
                let tail_len = if behind.starts_with("->") { word(behind) } else { 0 };
                tail = behind.get(2..tail_len).unwrap_or("");
                end = (key_len + len + 2 + tail_len).min(start.len());
            }
            _ => {
                value = "";
                tail = "";
                end = key_len;
            }
        }
        value = value.trim();
        tail = tail.trim();
        let (whole, next) = start.split_at(end);
        rest = next;
        Some(Item { key, value, tail, whole })
    })
}

/// Values separated by `:` or `,`: the arguments of positional actions.
pub(super) fn arguments(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', ':', ' ']).map(str::trim).filter(|s| !s.is_empty())
}
