use super::*;

fn parse(json: &str) -> Result<Task> {
    Task::parse(json.as_bytes())
}

fn with(fields: &str) -> Result<Task> {
    parse(&format!(
        r#"{{"email":"e","task":"t","brief":"b"{fields}}}"#
    ))
}

#[test]
fn every_error_names_its_field() {
    for (json, said) in [
        ("", "the task is empty"),
        (" \n", "the task is empty"),
        ("[]", "not a task: an array where an object is due"),
        (
            r#"["e","t","b"]"#,
            "not a task: an array where an object is due",
        ),
        (
            r#" [{"email":"e","task":"t","brief":"b"}]"#,
            "not a task: an array",
        ),
        ("7", "not a task: a number"),
        ("\"email\"", "not a task: a string"),
        ("null", "not a task"),
        ("{", "not a task"),
        (r#"{"task":"t","brief":"b"}"#, "email: missing"),
        (r#"{"email":null,"task":"t","brief":"b"}"#, "email: missing"),
        (
            r#"{"email":1,"task":"t","brief":"b"}"#,
            "email: not a string",
        ),
        (r#"{"email":"e","task":" ","brief":"b"}"#, "task: empty"),
        (r#"{"email":"e","task":"t","brief":""}"#, "brief: empty"),
        (
            r#"{"email":"e","task":"t","brief":"b","brief":"c"}"#,
            "duplicate field `brief`",
        ),
    ] {
        let error = parse(json).unwrap_err();
        assert_eq!(error.code, Code::InvalidTask);
        assert!(error.one_line().contains(said), "{json}: {error}");
    }
    for (fields, said) in [
        (r#","round":0"#, "round: not an integer"),
        (r#","round":"2""#, "round: not an integer"),
        (r#","round":1.5"#, "round: not an integer"),
        (r#","nonce":7"#, "nonce: not a string"),
        (r#","secret":["s"]"#, "secret: not a string"),
        (
            r#","evaluation_url":"ftp://x""#,
            "evaluation_url: not an http or https URL",
        ),
        (r#","evaluation_url":"x""#, "evaluation_url: not an http"),
        (r#","checks":{}"#, "checks: not an array"),
        (r#","attachments":"x""#, "attachments: not an array"),
        (r#","attachments":[1]"#, "attachments[0]: not an object"),
        (
            r#","attachments":[["a","data:,x"]]"#,
            "attachments[0]: not an object",
        ),
        (
            r#","attachments":[{"url":"data:,x"}]"#,
            "attachments[0].name: missing",
        ),
        (
            r#","attachments":[{"name":"a"}]"#,
            "attachments[0].url: missing",
        ),
        (
            r#","attachments":[{"name":"../a","url":"data:,x"}]"#,
            "attachments[0].name: has a \"..\" part",
        ),
        (
            r#","attachments":[{"name":"a","url":"data:,x"},{"name":"b","url":"http://x/y"}]"#,
            "attachments[1].url: not a data: or https: URL",
        ),
        (
            r#","attachments":[{"name":"a","url":"data:;base64,!"}]"#,
            "attachments[0].url: not valid base64",
        ),
        (
            r#","attachments":[{"name":"a","url":"data:x"}]"#,
            "attachments[0].url: a data: URI without a comma",
        ),
        (
            r#","attachments":[{"name":"a","url":"data:,x"},{"name":"a","url":"data:,y"}]"#,
            "attachments[1].name: \"a\" is the same as attachments[0].name",
        ),
        (
            r#","attachments":[{"name":"a/b","url":"data:,x"},{"name":"a","url":"data:,y"}]"#,
            "attachments[1].name: \"a\" cannot be a file and a folder at once with attachments[0].name",
        ),
    ] {
        let error = with(fields).unwrap_err();
        assert!(
            error.code == Code::InvalidTask && error.one_line().contains(said),
            "{fields}: {error}"
        );
    }
}

#[test]
fn defaults_bom_and_unknown_fields() {
    let task =
        parse("\u{feff}{\"email\":\"e\",\"task\":\"t\",\"brief\":\"b\",\"nonce\":null,\"extra\":{},\"wait_for_result\":true}").unwrap();
    assert_eq!(
        (
            task.round,
            task.nonce.as_str(),
            task.checks.len(),
            task.attachments.len()
        ),
        (1, "", 0, 0)
    );
    assert!(task.evaluation_url.is_none());
    for empty in ["", " ", "\\n"] {
        let task = with(&format!(r#","evaluation_url":"{empty}""#)).unwrap();
        assert!(task.evaluation_url.is_none());
        let absent = with("").unwrap();
        assert_eq!(task.content(), absent.content());
    }
}

#[test]
fn a_task_in_utf_16() {
    let json = r#"{"email":"e@x","task":"größe","brief":"日本 b","nonce":"n"}"#;
    let units = |mark: &str| format!("{mark}{json}").encode_utf16().collect::<Vec<u16>>();
    for mark in ["\u{feff}", ""] {
        let little: Vec<u8> = units(mark).iter().flat_map(|u| u.to_le_bytes()).collect();
        let big: Vec<u8> = units(mark).iter().flat_map(|u| u.to_be_bytes()).collect();
        for bytes in [little, big] {
            let task = Task::parse(&bytes).unwrap();
            assert_eq!(
                (task.task.as_str(), task.brief.as_str()),
                ("größe", "日本 b")
            );
        }
    }
    // Half a character at the end is a fault, not a blank.
    assert!(Task::parse(b"\xff\xfe{\0").is_err());
}

#[test]
fn names_without_end_are_refused() {
    for name in [
        "a/".repeat(50_000) + "b",
        "a/".repeat(1_000_000) + "b",
        "x".repeat(2_000),
        "a/".repeat(32) + "b",
    ] {
        let attachment = format!(r#","attachments":[{{"name":"{name}","url":"data:,x"}}]"#);
        let error = with(&attachment).unwrap_err();
        assert!(
            error
                .one_line()
                .starts_with("attachments[0].name: has more than")
        );
    }
}

#[test]
fn data_uris_of_all_kinds() {
    let task = with(concat!(
        r#","attachments":[{"name":"a","url":"data:text/csv;base64,aGk="},{"name":"b","url":"data:@file/x-python;base64,aGk"},"#,
        r#"{"name":"c","url":"data:,a%20b%00"},{"name":"d","url":"DATA:text\/plain;charset=utf-8,%C3%BC"},{"name":"e","url":"data:;base64,"},{"name":"f","url":"https://x.example/y"}]"#
    ))
    .unwrap();
    let bytes: Vec<_> = task
        .attachments
        .iter()
        .map(|a| {
            if let Source::Bytes(b) = &a.source {
                b.as_slice()
            } else {
                b"-"
            }
        })
        .collect();
    assert_eq!(
        bytes,
        [b"hi".as_slice(), b"hi", b"a b\0", "ü".as_bytes(), b"", b"-"]
    );
}

#[test]
fn checks_of_all_kinds() {
    let task =
        with(r#","checks":["Js: a === 1",{"js":"b"},"Repo has MIT license",{"python":"x"},7]"#)
            .unwrap();
    assert_eq!(
        task.checks,
        [
            Check::Js("a === 1".to_owned()),
            Check::Js("b".to_owned()),
            Check::Text("Repo has MIT license".to_owned()),
            Check::Other("{\"python\":\"x\"}".to_owned()),
            Check::Other("7".to_owned())
        ]
    );
}

#[test]
fn admission() {
    let secret = |s: &str| Admission {
        secret: Secret::new(s),
        notify_hosts: None,
    };
    let (with_secret, without) = (with(r#","secret":"s""#).unwrap(), with("").unwrap());
    assert!(
        with_secret.admit(&secret("s")).is_ok() && without.admit(&Admission::default()).is_ok()
    );
    for (task, admission) in [
        (&with_secret, secret("t")),
        (&without, secret("s")),
        (&with_secret, Admission::default()),
    ] {
        assert_eq!(task.admit(&admission).unwrap_err().code, Code::Unauthorized);
    }
    let hosts = |h: &str| Admission {
        secret: None,
        notify_hosts: Some(Hosts::parse(h).unwrap()),
    };
    let task = with(r#","evaluation_url":"https://eval.example/x""#).unwrap();
    assert!(task.admit(&hosts("eval.example")).is_ok());
    assert!(
        task.admit(&hosts("example"))
            .unwrap_err()
            .one_line()
            .starts_with("evaluation_url")
    );
}

#[test]
fn content_tells_what_differs() {
    let one = with(r#","attachments":[{"name":"a","url":"data:,x"},{"name":"b","url":"data:,x"}]"#)
        .unwrap();
    let two =
        with(r#","checks":["c"],"secret":"other","attachments":[{"name":"a","url":"data:,y"},{"name":"c","url":"data:,x"}]"#).unwrap();
    assert_eq!(
        one.content().differences(two.content()),
        ["checks", "attachment a", "attachment b", "attachment c"]
    );
    assert!(one.content().differences(one.content()).is_empty());
}

#[test]
fn where_a_file_is_named() {
    for text in [
        "fetches data.csv from attachments",
        "data.csv",
        "Use `data.csv`.",
        "(data.csv)",
        "./data.csv",
        "/data.csv",
        "see data.csv.",
        "data.csv, x.csv",
        "\"data.csv\":",
        "fetch('data.csv')",
        "fetch(\"./data.csv\")",
    ] {
        assert!(named::names_file(text, "data.csv"), "{text}");
    }
    for text in [
        "mydata.csv",
        "data.csv.gz",
        "data.csvx",
        "old/data.csv",
        "https://x.example/data.csv",
        "data.csv/x",
        "my-data.csv",
        "a.data.csv",
        "data-csv",
        "assets/data.csv",
        "../data.csv",
    ] {
        assert!(!named::names_file(text, "data.csv"), "{text}");
    }
    assert!(named::names_file(
        "put it at assets/data.csv",
        "assets/data.csv"
    ));
}
