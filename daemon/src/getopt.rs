//! Command lines as GNU `getopt_long` reads them, with glibc's error texts: unique prefixes of
//! long options, `--name=value`, `--name value`, bundled short options, `--`. Knows no option.

/// Whether an option takes an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arg {
    None,
    Required,
    /// Only as `--name=value` or `-nvalue`.
    Optional,
}

/// One option.
#[derive(Clone, Copy, Debug)]
pub struct Opt {
    /// The long name; the caller matches on it.
    pub long: &'static str,
    pub short: Option<char>,
    pub arg: Arg,
}

impl Opt {
    /// A long option only.
    pub const fn long(long: &'static str, arg: Arg) -> Self {
        Self { long, short: None, arg }
    }

    /// A long option and its letter.
    pub const fn both(long: &'static str, short: char, arg: Arg) -> Self {
        Self { long, short: Some(short), arg }
    }
}

/// Where options may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Anywhere before `--`.
    Permute,
    /// Only before the first argument that is not an option (`ovs-vsctl`, `ovs-appctl`).
    StopAtFirst,
}

/// A parsed command line.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Parsed {
    /// Options in their order: long name and argument.
    pub options: Vec<(&'static str, Option<String>)>,
    /// What is left, without the `--` that ended the options.
    pub rest: Vec<String>,
}

/// Parses `args` (without `argv[0]`). `Err` is glibc's message without the program name.
pub fn parse(args: &[String], opts: &[Opt], order: Order) -> Result<Parsed, String> {
    let mut parsed = Parsed::default();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        if arg == "--" {
            break;
        } else if let Some(long) = arg.strip_prefix("--") {
            parsed.options.push(long_option(long, opts, &mut args)?);
        } else if arg.len() > 1 && arg.starts_with('-') {
            short_options(&arg[1..], opts, &mut args, &mut parsed.options)?;
        } else {
            parsed.rest.push(arg.clone());
            if order == Order::StopAtFirst {
                break;
            }
        }
    }
    parsed.rest.extend(args.cloned());
    Ok(parsed)
}

type Found = (&'static str, Option<String>);

fn long_option<'a>(
    text: &str,
    opts: &[Opt],
    args: &mut impl Iterator<Item = &'a String>,
) -> Result<Found, String> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (text, None),
    };
    let opt = find_long(name, opts)?;
    match (opt.arg, value) {
        (Arg::None, Some(_)) => Err(format!("option '--{}' doesn't allow an argument", opt.long)),
        (Arg::Required, None) => match args.next() {
            Some(value) => Ok((opt.long, Some(value.clone()))),
            None => Err(format!("option '--{}' requires an argument", opt.long)),
        },
        (_, value) => Ok((opt.long, value)),
    }
}

fn find_long<'o>(name: &str, opts: &'o [Opt]) -> Result<&'o Opt, String> {
    if let Some(opt) = opts.iter().find(|opt| opt.long == name) {
        return Ok(opt);
    }
    let hits: Vec<&Opt> = opts.iter().filter(|opt| opt.long.starts_with(name)).collect();
    match hits.as_slice() {
        [] => Err(format!("unrecognized option '--{name}'")),
        [opt] => Ok(opt),
        many => {
            let names: String = many.iter().map(|opt| format!(" '--{}'", opt.long)).collect();
            Err(format!("option '--{name}' is ambiguous; possibilities:{names}"))
        }
    }
}

fn short_options<'a>(
    letters: &str,
    opts: &[Opt],
    args: &mut impl Iterator<Item = &'a String>,
    found: &mut Vec<Found>,
) -> Result<(), String> {
    for (at, letter) in letters.char_indices() {
        let opt = opts
            .iter()
            .find(|opt| opt.short == Some(letter))
            .ok_or_else(|| format!("invalid option -- '{letter}'"))?;
        if opt.arg == Arg::None {
            found.push((opt.long, None));
            continue;
        }
        let rest = &letters[at + letter.len_utf8()..];
        let value = match (rest, opt.arg) {
            ("", Arg::Optional) => None,
            ("", _) => {
                Some(args.next().ok_or_else(|| format!("option requires an argument -- '{letter}'"))?.clone())
            }
            (rest, _) => Some(rest.to_owned()),
        };
        found.push((opt.long, value));
        break;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTS: &[Opt] = &[
        Opt::long("db", Arg::Required),
        Opt::long("dry-run", Arg::None),
        Opt::both("verbose", 'v', Arg::Optional),
        Opt::both("timeout", 't', Arg::Required),
        Opt::both("help", 'h', Arg::None),
    ];

    fn run(args: &str, order: Order) -> Result<Parsed, String> {
        parse(&args.split(' ').map(str::to_owned).collect::<Vec<_>>(), OPTS, order)
    }

    #[test]
    fn forms() {
        let parsed = run("--db x -vfoo -ht5 cmd --dry -- --db", Order::Permute).unwrap();
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            parsed.options,
            [
                ("db", some("x")),
                ("verbose", some("foo")),
                ("help", None),
                ("timeout", some("5")),
                ("dry-run", None)
            ]
        );
        assert_eq!(parsed.rest, ["cmd", "--db"]);
        let parsed = run("-v cmd --dry", Order::StopAtFirst).unwrap();
        assert_eq!((parsed.options.len(), parsed.rest.len()), (1, 2));
    }

    #[test]
    fn errors_are_glibcs() {
        let err = |args| run(args, Order::Permute).unwrap_err();
        assert_eq!(err("--foo"), "unrecognized option '--foo'");
        assert_eq!(err("--d"), "option '--d' is ambiguous; possibilities: '--db' '--dry-run'");
        assert_eq!(err("--db"), "option '--db' requires an argument");
        assert_eq!(err("--dry-run=1"), "option '--dry-run' doesn't allow an argument");
        assert_eq!(err("-x"), "invalid option -- 'x'");
        assert_eq!(err("-t"), "option requires an argument -- 't'");
    }
}
