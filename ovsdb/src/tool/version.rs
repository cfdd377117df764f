//! `compare-versions A OP B`: status 0 for true, 2 for false.

use super::{Failure, Options};
use crate::schema::Version;

pub(super) fn compare(_: &Options, args: &[String]) -> Result<i32, Failure> {
    let parse = |s: &String| {
        let version = s.parse::<Version>();
        version.map_err(|()| format!("{s}: not an OVSDB version number in format x.y.z"))
    };
    let (a, b) = (parse(&args[0])?, parse(&args[2])?);
    let holds = match args[1].as_str() {
        "<" => a < b,
        "<=" => a <= b,
        "==" => a == b,
        ">=" => a >= b,
        ">" => a > b,
        "!=" => a != b,
        op => return Err(format!("{op}: not a relational operator")),
    };
    Ok(if holds { 0 } else { 2 })
}
