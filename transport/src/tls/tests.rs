//! Both ends with certificates made by openssl: mutual trust, a stranger, no certificate, half a
//! handshake, the bootstrap.

use std::path::Path;
use std::process::Command;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Config;

fn openssl(dir: &Path, args: &str) {
    let output = Command::new("openssl").args(args.split(' ')).current_dir(dir).output().unwrap();
    assert!(output.status.success(), "openssl {args}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A CA `ca` and a key and certificate `who` signed by it.
fn pki(dir: &Path, ca: &str, who: &str) {
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(dir, &format!("req -x509 {key} -keyout {ca}.key -out {ca}.pem -subj /CN={ca} -days 30"));
    openssl(dir, &format!("req {key} -keyout {who}.key -out {who}.req -subj /CN={who}"));
    std::fs::write(dir.join("ext"), "basicConstraints=CA:FALSE\n").unwrap();
    openssl(
        dir,
        &format!(
            "x509 -req -in {who}.req -CA {ca}.pem -CAkey {ca}.key -CAcreateserial -days 30 -extfile ext -out {who}.pem"
        ),
    );
}

fn config(dir: &Path, who: &str, ca: &str) -> Config {
    Config {
        private_key: Some(dir.join(format!("{who}.key"))),
        certificate: Some(dir.join(format!("{who}.pem"))),
        ca_cert: Some(dir.join(ca)),
        bootstrap: false,
        peer_ca_cert: Some(dir.join("ca.pem")),
    }
}

/// Connects and says hello; gives what came back.
async fn hello(port: u16, config: &Config) -> std::io::Result<String> {
    let tcp = tokio::net::TcpStream::connect(("127.0.0.1", port)).await?;
    let mut stream = super::connect(tcp, config).await?;
    stream.write_all(b"hello").await?;
    let mut back = [0; 5];
    stream.read_exact(&mut back).await?;
    Ok(String::from_utf8_lossy(&back).into_owned())
}

/// Echoes the first five bytes of each connection.
async fn serve(listener: tokio::net::TcpListener, acceptor: tokio_rustls::TlsAcceptor) {
    loop {
        let (tcp, _) = listener.accept().await.unwrap();
        let mut stream = super::accept(&acceptor, tcp);
        tokio::spawn(async move {
            let mut text = [0; 5];
            if stream.read_exact(&mut text).await.is_ok() {
                let _ = stream.write_all(&text).await;
                let _ = stream.read(&mut text).await;
            }
        });
    }
}

#[tokio::test]
async fn tls_as_ovs_means_it() {
    if Command::new("openssl").arg("version").output().is_err() {
        eprintln!("SKIPPED: openssl is not installed");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    pki(dir, "ca", "us");
    pki(dir, "other", "stranger");
    let us = config(dir, "us", "ca.pem");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(serve(listener, super::acceptor(&us).unwrap()));

    assert_eq!(hello(port, &us).await.unwrap(), "hello");

    // Half a handshake, and something that is none: others are served meanwhile.
    let silent = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let mut rude = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    rude.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
    assert_eq!(hello(port, &us).await.unwrap(), "hello");
    drop((silent, rude));

    // We do not trust them; they do not trust us; files are missing.
    assert!(hello(port, &config(dir, "us", "other.pem")).await.is_err());
    assert!(hello(port, &config(dir, "stranger", "ca.pem")).await.is_err());
    let text = hello(port, &config(dir, "us", "missing.pem")).await.unwrap_err().to_string();
    assert!(text.ends_with("missing.pem: No such file or directory"), "{text}");
    let text = hello(port, &Config::default()).await.unwrap_err().to_string();
    assert_eq!(text, "CA certificate must be configured to use SSL");

    // Trust in everyone, if that is what was asked for.
    let everyone = Config { ca_cert: Some("none".into()), ..us.clone() };
    assert_eq!(hello(port, &everyone).await.unwrap(), "hello");

    // The first connection fetches the CA, the second one uses it.
    let fetching = Config { bootstrap: true, ..config(dir, "us", "fetched.pem") };
    let text = hello(port, &fetching).await.unwrap_err().to_string();
    assert!(text.contains("bootstrapped CA cert"), "{text}");
    assert_eq!(hello(port, &fetching).await.unwrap(), "hello");
    server.abort();
}
