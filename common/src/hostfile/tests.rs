//! Every form that the documentation names is read as it says; everything else is an error that has
//! the line, and no text makes the reader panic.

use super::*;
use proptest::prelude::*;

fn read(text: &str) -> Result<Vec<Host>, HostfileError> {
    Hostfile::parse(text, Path::new("hosts.txt")).map(|file| file.hosts)
}

fn host(name: &str) -> Host {
    Host {
        user: None,
        name: name.into(),
        slots: None,
        start: Start::Launch { port: None },
    }
}

#[test]
fn all_forms_are_read() {
    let text = "# a comment\n\n node01 # first\nme@node02 slots=8 max-slots=16\nnode03:8\nnode04:7000 slots=3\n\
                node[09-10] slots=2\n10.0.0.1:1023\n10.0.0.2:1024\n[2001:db8::7]:8\n2001:db8::8\r\n[::1]\n";
    let running = |name, port| Host {
        start: Start::Running { port },
        ..host(name)
    };
    let slots = |name, slots| Host {
        slots: Some(slots),
        ..host(name)
    };
    let expected = vec![
        host("node01"),
        Host {
            user: Some("me".into()),
            ..slots("node02", 8)
        },
        slots("node03", 8),
        Host {
            slots: Some(3),
            ..running("node04", 7000)
        },
        slots("node09", 2),
        slots("node10", 2),
        slots("10.0.0.1", 1023),
        running("10.0.0.2", 1024),
        slots("2001:db8::7", 8),
        host("2001:db8::8"),
        host("::1"),
    ];
    assert_eq!(read(text).unwrap(), expected);
}

#[test]
fn petuums_form_is_ordered_by_id() {
    let hosts = read("1 10.0.0.2 9999\n0 10.0.0.1 80\n\n").unwrap();
    let at = |name, port| Host {
        start: Start::Launch { port: Some(port) },
        ..host(name)
    };
    assert_eq!(hosts, [at("10.0.0.1", 80), at("10.0.0.2", 9999)]);
}

#[test]
fn a_bad_line_says_where_and_what_was_expected() {
    for (line, expected) in [
        (
            "-oProxyCommand=evil",
            "hosts.txt:2: \"-oProxyCommand=evil\" is no host's name",
        ),
        ("-x@node", "is no user's name"),
        ("a;b", "is no host's name"),
        ("node:0", "expected slots (1 to 1023)"),
        ("node:", "expected slots (1 to 1023)"),
        ("node:+5", "expected slots (1 to 1023)"),
        ("node:70000", "expected slots (1 to 1023)"),
        ("node slots=0", "expected a number of slots"),
        ("node slots", "expected a number of slots"),
        ("node max-slots=x", "expected a number of slots"),
        ("node:3 slots=4", "slots are given twice"),
        ("node cpus=4", "expected slots=N"),
        ("node[1-", "brackets do not match"),
        ("node[2-1]", "ends before it begins"),
        ("node[0-99999]", "more than 65536 hosts"),
        ("0 10.0.0.1 9999", "line 1 differs"),
    ] {
        let error = read(&format!("first\n{line}\n")).unwrap_err();
        assert_eq!(error.line, 2);
        let message = error.to_string();
        assert!(message.starts_with("hosts.txt:2: "), "{message}");
        assert!(message.contains(expected), "{line}: {message}");
    }
    for (text, expected) in [
        ("", "hosts.txt: names no host"),
        ("# nobody\n", "hosts.txt: names no host"),
        ("0 10.0.0.1", "id ip port"),
        ("0 10.0.0.1 0", "id ip port"),
        ("0 a 9999\n0 b 9999", "hosts.txt:2: the id 0"),
        ("0 a 9999\n1 a 9999", "a:9999 has been named before"),
        ("a:7000\na:7000", "a:7000 has been named before"),
    ] {
        let message = read(text).unwrap_err().to_string();
        assert!(message.contains(expected), "{text}: {message}");
    }
}

proptest! {
    #[test]
    fn nothing_makes_it_panic(text in "[a-z0-9@:=#\\[\\], .\n-]{0,80}") {
        if let Ok(hosts) = read(&text) {
            prop_assert!(!hosts.is_empty());
            prop_assert!(hosts.iter().all(|host| !host.destination().starts_with('-')));
        }
    }

    #[test]
    fn a_number_is_slots_or_a_port(number in 1u16..) {
        let hosts = read(&format!("node:{number}")).unwrap();
        let expected = if number <= MOST_SLOTS {
            Host { slots: Some(number), ..host("node") }
        } else {
            Host { start: Start::Running { port: number }, ..host("node") }
        };
        prop_assert_eq!(hosts, vec![expected]);
    }
}
