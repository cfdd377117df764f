//! `wait`: until a database is added, connected or removed.

use serde_json::json;

use super::{Done, Run};

pub(super) async fn wait(run: &mut Run) -> Done {
    let (database, state) = (run.args[0].clone(), run.args[1].clone());
    if !["added", "connected", "removed"].contains(&state.as_str()) {
        return Err(format!("{state}: unknown state"));
    }
    let _ = run.connection.call("set_db_change_aware", json!([true])).await?;
    let requests = json!({"Database": [{"columns": ["name", "model", "connected", "leader"]}]});
    run.connection.result("monitor", json!(["_Server", "wait", requests])).await?;
    loop {
        let params = json!(["_Server", {"op": "select", "table": "Database",
            "where": [["name", "==", database]], "columns": ["connected"]}]);
        let reply = run.connection.result("transact", params).await?;
        let row = &reply[0]["rows"][0];
        let reached = match state.as_str() {
            "added" => !row.is_null(),
            "connected" => row["connected"] == true,
            _ => row.is_null(),
        };
        if reached {
            return Ok(0);
        }
        run.connection.notification().await?;
    }
}
