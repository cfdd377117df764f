//! `lock`, `steal`, `unlock`: asks once, then prints what becomes of the lock.

use serde_json::json;

use super::{Done, Run};

pub(super) async fn lock(run: &mut Run, method: &str) -> Done {
    let name = run.args[0].clone();
    match run.connection.call(method, json!([name])).await? {
        Ok(result) => run.print_json(&result),
        Err(e) => return Err(format!("server returned error reply: {}", crate::json::to_string(&e))),
    }
    if method == "unlock" {
        return Ok(0);
    }
    loop {
        let (method, params) = run.connection.notification().await?;
        println!("{method}");
        run.print_json(&params.into());
    }
}
