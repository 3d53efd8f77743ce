use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use super::*;
use crate::values::hex;

fn scan(text: &[u8], options: &Options) -> Result<()> {
    let path = RelPath::parse("a/b.txt").unwrap();
    require_clean(&[(path, text)].into(), &[], options)
}

fn own(secret: &str) -> Options {
    Options {
        own: vec![("the shared secret", Secret::new(secret).unwrap())],
        allowed: vec![],
    }
}

/// Nobody's, and nothing that a scanner of this repository would find.
fn made(length: usize) -> String {
    const LETTERS: &[u8] = b"4fJ0qZ9wXl2RtY7uIo3PaSd5FgHj6KmNxCvB8eWkQhTzLpGr1cMbVnUyOiEsDA";
    (0..length)
        .map(|n| char::from(LETTERS[n * 7 % LETTERS.len()]))
        .collect()
}

const SECRET: &str = "S3cret/P+ss&w\"rd-4711";

#[test]
fn own_secrets_in_every_encoding() {
    let percent: String = SECRET.bytes().map(|b| format!("%{b:02x}")).collect();
    let mut texts = vec![
        SECRET.to_owned(),
        SECRET.chars().rev().collect(),
        hex(SECRET.as_bytes()),
        hex(SECRET.as_bytes()).to_uppercase(),
        percent,
        "S3cret%2FP%2Bss%26w%22rd-4711".to_owned(),
        "S3cret%2fP%2bss%26w%22rd-4711".to_owned(),
        serde_json::to_string(SECRET).unwrap(),
        "S3cret/P+ss&amp;w&quot;rd-4711".to_owned(),
    ];
    for around in ["", "x", "xy", "xyz"] {
        texts.push(STANDARD_NO_PAD.encode(format!("{around}{SECRET}{around}")));
        texts.push(URL_SAFE_NO_PAD.encode(format!("{around}{SECRET}{around}")));
    }
    for text in texts {
        let error = scan(format!("one\ntwo {text} three").as_bytes(), &own(SECRET)).unwrap_err();
        assert!(
            error.code == Code::SecretFound && error.one_line().contains("a/b.txt:2"),
            "{text}: {error}"
        );
        assert!(!error.one_line().contains(SECRET) && !error.hint.unwrap().contains(SECRET));
    }
    assert!(scan(b"nothing of that kind", &own(SECRET)).is_ok());
    assert!(scan(b"a short secret is no needle", &own("short")).is_ok());
}

#[test]
fn own_secrets_in_spellings_that_a_program_undoes() {
    let each = |code: &dyn Fn(char) -> String| SECRET.chars().map(code).collect::<String>();
    let (one, two) = SECRET.split_at(9);
    let long = STANDARD.encode(format!("{}{SECRET}{}", made(100), made(50)));
    let wrapped = |width: usize, gap: &str| {
        let lines: Vec<&str> = long
            .as_bytes()
            .chunks(width)
            .map(|c| std::str::from_utf8(c).unwrap())
            .collect();
        lines.join(gap)
    };
    let spelled = [
        each(&|c| format!("\\x{:02x}", u32::from(c))),
        each(&|c| format!("\\u{:04X}", u32::from(c))),
        each(&|c| format!("\\u{{{:x}}}", u32::from(c))),
        each(&|c| format!("\\{:o}", u32::from(c))),
        each(&|c| format!("\\{:03o}", u32::from(c))),
        each(&|c| format!("&#{};", u32::from(c))),
        each(&|c| format!("&#x{:X};", u32::from(c))),
        each(&|c| format!("\\\\x{:02x}", u32::from(c))),
        format!("'{one}' + '{two}'"),
        format!("'{one}'\n    + '{two}'"),
        format!("(\"{one}\"\n \"{}\")", two.replace('"', "\\\"")),
        format!("'{one}' . '{two}'"),
        format!("['{one}', '{two}'].join('')"),
        format!("'{one}\\\n{two}'"),
        wrapped(76, "\n"),
        wrapped(64, "\r\n"),
        wrapped(40, "\n    "),
        wrapped(30, "\" +\n  \""),
        wrapped(76, "\\n"),
        STANDARD.encode(STANDARD.encode(format!("a {SECRET}"))),
        STANDARD.encode(each(&|c| format!("\\x{:02x}", u32::from(c)))),
        STANDARD.encode(
            SECRET
                .encode_utf16()
                .flat_map(u16::to_le_bytes)
                .collect::<Vec<_>>(),
        ),
    ];
    for text in spelled {
        let error = scan(
            format!("one\ntwo \"{text}\" three").as_bytes(),
            &own(SECRET),
        );
        let error = error.err().unwrap_or_else(|| panic!("not found: {text}"));
        assert!(
            error.one_line().contains("holds the shared secret"),
            "{error}"
        );
    }
    let text = format!("first\nkey = {SECRET}\n");
    let utf32 = |code: fn(u32) -> [u8; 4]| {
        text.chars()
            .flat_map(|c| code(u32::from(c)))
            .collect::<Vec<_>>()
    };
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(text.as_bytes()).unwrap();
    let gzip = gzip.finish().unwrap();
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    archive
        .start_file("inner.txt", zip::write::SimpleFileOptions::default())
        .unwrap();
    archive.write_all(text.as_bytes()).unwrap();
    let archive = archive.finish().unwrap().into_inner();
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    zlib.write_all(text.as_bytes()).unwrap();
    let chunk = |kind: &str, data: &[u8]| {
        let length = u32::try_from(data.len()).unwrap().to_be_bytes();
        [&length[..], kind.as_bytes(), data, &[0; 4]].concat()
    };
    let png = |text: Vec<u8>| {
        let head = chunk("IHDR", &[0; 13]);
        [
            b"\x89PNG\r\n\x1a\n".to_vec(),
            head,
            text,
            chunk("IEND", b""),
        ]
        .concat()
    };
    let packed = [
        text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        utf32(u32::to_le_bytes),
        utf32(u32::to_be_bytes),
        gzip.clone(),
        STANDARD.encode(&gzip).into_bytes(),
        archive,
        png(chunk("tEXt", &[b"Comment\0", text.as_bytes()].concat())),
        png(chunk(
            "zTXt",
            &[b"Comment\0\0", zlib.finish().unwrap().as_slice()].concat(),
        )),
    ];
    for (n, bytes) in packed.iter().enumerate() {
        assert!(scan(bytes, &own(SECRET)).is_err(), "{n}");
        assert!(
            scan(bytes, &own("another secret, not in there")).is_ok(),
            "{n}"
        );
    }
}

#[test]
fn known_shapes() {
    for (prefix, tail) in [
        ("ghp_", 36),
        ("github_pat_", 60),
        ("sk-", 48),
        ("sk-ant-", 40),
        ("AIza", 35),
        ("xoxb-", 24),
        ("npm_", 36),
        ("hf_", 34),
    ] {
        let token = format!("{prefix}{}", made(tail));
        let error = scan(
            format!("x\n\nkey='{token}'").as_bytes(),
            &Options::default(),
        )
        .unwrap_err();
        assert!(
            error.one_line().contains(":3:") && !error.one_line().contains(&token),
            "{error}"
        );
        let allowed = Options {
            own: vec![],
            allowed: vec![sha256_hex(token.as_bytes())],
        };
        assert!(scan(format!("key='{token}'").as_bytes(), &allowed).is_ok());
        assert!(
            scan(format!("abc{token}").as_bytes(), &Options::default()).is_ok(),
            "inside a word: {prefix}"
        );
        assert!(scan(format!("{prefix}short").as_bytes(), &Options::default()).is_ok());
        for (before, after) in [
            ("\\n", "\\n"),
            ("token%3D", "%26x"),
            ("&quot;", "&quot;"),
            ("\\u003d", "\\u0026"),
            ("\\\"", "\\\""),
            ("\\t", ""),
        ] {
            let text = format!("a\nb {before}{token}{after} c");
            let error = scan(text.as_bytes(), &Options::default()).unwrap_err();
            assert!(error.one_line().contains(":2:"), "{text}: {error}");
        }
        let (one, two) = token.split_at(token.len() / 2);
        assert!(scan(format!("'{one}' + '{two}'").as_bytes(), &Options::default()).is_err());
    }
    let amazon = ["AKIA", "Q2X7MB4LKZ0VT9WA"].concat();
    assert!(scan(amazon.as_bytes(), &Options::default()).is_err());
    for kind in ["", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED "] {
        let body = made(64);
        let key = [
            "-----BEGIN ",
            kind,
            "PRIVATE",
            " KEY-----\n",
            &body,
            "\n-----END ",
        ]
        .concat();
        assert!(scan(key.as_bytes(), &Options::default()).is_err(), "{kind}");
        let shown = ["-----BEGIN ", kind, "PRIVATE", " KEY-----\n...\n-----END "].concat();
        assert!(
            scan(shown.as_bytes(), &Options::default()).is_ok(),
            "{kind}"
        );
    }
    assert!(scan(b"-----BEGIN CERTIFICATE-----\nMIIB", &Options::default()).is_ok());
}

#[test]
fn placeholders_and_documented_examples_pass() {
    let x = |prefix: &str, n: usize| format!("{prefix}{}", "x".repeat(n));
    for text in [
        x("ghp_", 36),
        x("sk-", 48),
        x("sk-proj-", 40),
        ["AKIA", "IOSFODNN7EXAMPLE"].concat(),
        "ghp_your-token-here".to_owned(),
        "sk-proj-your-openai-api-key-goes-here-please".to_owned(),
        format!("ghp_{}", "0".repeat(36)),
        format!("hf_{}", "ab".repeat(20)),
        "ghp_1234567890abcdefghijklmnopqrstuvwxyz".to_owned(),
        "npm_ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789".to_owned(),
    ] {
        let clean = scan(
            format!("token = \"{text}\"").as_bytes(),
            &Options::default(),
        );
        assert!(clean.is_ok(), "{text}: {clean:?}");
    }
}

fn token(claims: &str, signature: &str) -> String {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    format!(
        "{}.{}.{signature}",
        part(r#"{"alg":"HS256","typ":"JWT"}"#),
        part(claims)
    )
}

#[test]
fn tokens_with_a_header_that_reads() {
    let real = token(r#"{"email":"a@example.com","iat":1760000000}"#, &made(43));
    for text in [
        format!("Bearer {real}"),
        format!("\"{real}\""),
        format!("?t%3D{real}"),
    ] {
        let error = scan(text.as_bytes(), &Options::default()).unwrap_err();
        assert!(error.one_line().contains("JSON Web Token"), "{error}");
    }
    for passes in [
        token(
            r#"{"sub":"1234567890","name":"John Doe","iat":1516239022}"#,
            &made(43),
        ),
        token(r#"{"role":"anon"}"#, &made(43)),
        token(r#"{"email":"a@example.com"}"#, "signature"),
        format!("eyJ{}.{}.{}", made(20), made(30), made(43)),
        "eyJhbGciOiJIUzI1NiJ9".to_owned(),
    ] {
        assert!(
            scan(passes.as_bytes(), &Options::default()).is_ok(),
            "{passes}"
        );
    }
}

#[test]
fn names_of_files_for_secrets() {
    for (name, refused) in [
        (".env", true),
        ("config/.env.production", true),
        (".env.example", false),
        ("id_rsa", true),
        ("keys/id_ed25519", true),
        ("id_rsa.pub", false),
        (".npmrc", true),
        (".netrc", true),
        (".git-credentials", true),
        ("environment.md", false),
    ] {
        let files = [(RelPath::parse(name).unwrap(), b"x".as_slice())].into();
        let result = require_clean(&files, &[], &Options::default());
        assert_eq!(result.is_err(), refused, "{name}");
    }
}

#[test]
fn what_a_task_says_of_itself() {
    let options = own(SECRET);
    let encoded = STANDARD.encode(SECRET);
    for nonce in [SECRET, &encoded] {
        let error = require_own_kept(&[("email", "a@b"), ("nonce", nonce)], &options).unwrap_err();
        assert!(error.one_line().starts_with("nonce"), "{error}");
    }
    let other = ["gh", "p_", &made(36)].concat();
    assert!(require_own_kept(&[("nonce", &other)], &options).is_ok());
}

#[test]
fn findings_are_masked() {
    let value = ["gh", "p_", &made(36)].concat();
    let files: BTreeMap<RelPath, Vec<u8>> = [
        (
            RelPath::parse("index.html").unwrap(),
            format!("a\nb {value}").into_bytes(),
        ),
        (RelPath::parse("b.js").unwrap(), b"fine".to_vec()),
    ]
    .into();
    let found = findings(&files, &Options::default()).unwrap();
    assert_eq!(found.len(), 1);
    assert!(
        found[0].starts_with("index.html:2") && !found[0].contains(&value),
        "{found:?}"
    );
}
