//! The operations without a table: `commit`, `abort`, `comment`, `assert`.

use super::{Run, Step};
use crate::error::Error;
use crate::parser::Parser;

pub(super) fn commit(run: &mut Run<'_>, p: &mut Parser<'_>) -> Step {
    let durable = p.boolean("durable")?.ok_or_else(|| p.missing("durable"))?;
    run.durable |= durable;
    run.out.push_str("{}");
    Ok(())
}

pub(super) fn abort(_: &mut Run<'_>, _: &mut Parser<'_>) -> Step {
    Err(Error::new("aborted", "aborted by request").into())
}

pub(super) fn comment(run: &mut Run<'_>, p: &mut Parser<'_>) -> Step {
    let text = p.string("comment")?.ok_or_else(|| p.missing("comment"))?;
    if !run.comment.is_empty() {
        run.comment.push('\n');
    }
    run.comment.push_str(text);
    run.out.push_str("{}");
    Ok(())
}

pub(super) fn assert(run: &mut Run<'_>, p: &mut Parser<'_>) -> Step {
    let lock = p.id("lock")?.ok_or_else(|| p.missing("lock"))?;
    if !run.context.locks.is_some_and(|l| l.contains(lock)) {
        return Err(Error::new("not owner", format!("Asserted lock {lock} not held.")).into());
    }
    run.out.push_str("{}");
    Ok(())
}
