//! Reads matches from standard input, one a line, and prints each as `ovs-ofctl parse-flow` would show it.
use std::io::BufRead;

fn main() {
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        match flow::Match::parse(&line, None) {
            Ok(mut m) => {
                m.normalize();
                println!("{m}");
            }
            Err(e) => println!("! {e}"),
        }
    }
}
