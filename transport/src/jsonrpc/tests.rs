//! Framing under every split, and the bounds.

use bytes::BytesMut;
use serde_json::json;
use tokio_util::codec::{Decoder, Encoder};

use super::*;

#[test]
fn every_split_gives_the_same_messages() {
    let text = br#" {"id":0,"method":"a\"}{","params":["\\",{"x":[1,2]}]}{"id":null,"method":"n","params":[]}
 {"id":7,"result":{},"error":null}{"id":7,"result":null,"error":"e"} "#;
    let mut whole = Vec::new();
    for step in 1..text.len() {
        let (mut codec, mut buf, mut got) = (Codec::new(), BytesMut::new(), Vec::new());
        for chunk in text.chunks(step) {
            buf.extend_from_slice(chunk);
            while let Some(message) = codec.decode(&mut buf).unwrap() {
                got.push(message);
            }
        }
        assert_eq!(got.len(), 4, "step {step}");
        if whole.is_empty() {
            whole = got;
        } else {
            assert_eq!(got, whole);
        }
    }
    assert_eq!(whole[3], Message::Error { error: json!("e"), id: json!(7) });
}

#[test]
fn encode_then_decode() {
    let message = Message::request("transact", vec![json!("db"), json!({"op": "x"})], 3);
    let (mut codec, mut buf) = (Codec::new(), BytesMut::new());
    codec.encode(message.clone(), &mut buf).unwrap();
    assert_eq!(codec.decode(&mut buf).unwrap(), Some(message));
    assert!(buf.is_empty());
}

#[test]
fn bounds() {
    let decode = |text: &[u8]| Codec::with_size_max(3000).decode(&mut BytesMut::from(text));
    assert!(matches!(decode(&b"[".repeat(1001)), Err(FrameError::TooDeep)));
    assert!(matches!(decode(&b"{\"a\":".repeat(999)), Err(FrameError::TooLong(3000))));
    assert!(matches!(decode(b"]"), Err(FrameError::Syntax(_))));
    assert!(matches!(decode(b"hello"), Err(FrameError::Syntax(_))));
    assert!(matches!(decode(b"{\"a\":\"\xff\"}"), Err(FrameError::Syntax(_))));
    assert!(matches!(decode(b"[1]"), Err(FrameError::Message(_))));
    assert!(matches!(decode(b"{\"id\":1}{"), Ok(Some(Message::Reply { .. }))));
    assert!(matches!(decode(b"{\"id\":1,\"method\":2,\"params\":[]}"), Err(FrameError::Message(_))));
    let deep = [b"[".repeat(1000), b"]".repeat(1000)].concat();
    assert!(parse_value(&deep).is_ok());
}
