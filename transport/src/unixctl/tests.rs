//! Real sockets in a private directory, one of them with a path too long for `sockaddr_un`.

use super::*;

fn registry() -> Registry {
    let registry = Registry::new(Version("test (Open vSwitch) 3.1.0".into()));
    registry.add("echo", "ARG...", 1..=2, |args| Ok(args.join(" ")));
    registry.add("fail", "", 0..=0, |_| Err("no".into()));
    registry.register(FnCommand::hidden("panic", 0..=0, |_| panic!("on purpose")));
    registry
}

#[test]
fn texts() {
    let registry = registry();
    let run = |name: &str, args: &[&str]| {
        registry.dispatch(name, &args.iter().map(|a| a.to_string()).collect::<Vec<_>>())
    };
    assert_eq!(
        run("list-commands", &[]).unwrap(),
        "The available commands are:\n  echo                    ARG...\n  fail                    \n  list-commands           \n  version                 \n"
    );
    assert_eq!(run("echo", &[]).unwrap_err(), "\"echo\" command requires at least 1 arguments");
    assert_eq!(run("echo", &["a", "b", "c"]).unwrap_err(), "\"echo\" command takes at most 2 arguments");
    assert_eq!(
        run("x", &[]).unwrap_err(),
        "\"x\" is not a valid command (use \"list-commands\" to see a list of valid commands)"
    );
}

#[tokio::test]
async fn serves_both_clients_on_a_long_path() {
    let dir = tempfile::tempdir().unwrap();
    let deep = dir.path().join("d".repeat(100));
    std::fs::create_dir(&deep).unwrap();
    let path = deep.join("x.ctl");
    let server = Server::bind(&path, registry()).unwrap();
    let task = tokio::spawn(server.run());

    let mut client = AsyncClient::connect(&path).await.unwrap();
    let args = ["a".to_owned()];
    assert_eq!(client.transact("echo", &args).await.unwrap(), Ok("a\n".into()));
    assert_eq!(client.transact("fail", &[]).await.unwrap(), Err("no\n".into()));
    assert!(client.transact("panic", &[]).await.unwrap().is_err());

    let blocking_path = path.clone();
    let reply = tokio::task::spawn_blocking(move || {
        Client::connect(&blocking_path).unwrap().transact("version", &[]).unwrap()
    });
    assert_eq!(reply.await.unwrap(), Ok("test (Open vSwitch) 3.1.0\n".into()));

    task.abort();
    let _ = task.await;
    assert!(!path.exists());
}

/// Rubbish, half messages, notifications and sudden ends; the next client is served.
#[tokio::test]
async fn survives_its_clients() {
    use tokio::io::AsyncWriteExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.ctl");
    let task = tokio::spawn(Server::bind(&path, registry()).unwrap().run());
    let deep = "[".repeat(100_000);
    for rubbish in [
        "\0\u{7}",
        "}",
        "{\"id\":0,\"method\":\"echo\"",
        "{\"id\":null,\"method\":\"echo\",\"params\":[]}",
        "{\"id\":0,\"method\":\"echo\",\"params\":[1]}",
        "{\"id\":0,\"method\":7,\"params\":{}}",
        &deep,
    ] {
        let mut stream = tokio::net::UnixStream::connect(&path).await.unwrap();
        let _ = stream.write_all(rubbish.as_bytes()).await;
    }
    let mut idle = Vec::new();
    for _ in 0..CONNECTIONS_MAX / 2 {
        idle.push(tokio::net::UnixStream::connect(&path).await.unwrap());
        // The server shares this thread.
        tokio::task::yield_now().await;
    }
    let mut client = AsyncClient::connect(&path).await.unwrap();
    let args = ["still here".to_owned()];
    assert_eq!(client.transact("echo", &args).await.unwrap(), Ok("still here\n".into()));
    drop(idle);
    task.abort();
}
