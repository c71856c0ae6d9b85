//! What comes out is given to real shells: each prints the value, and nothing that the value says is run.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::{Dialect, Part, render};

/// `{{p}}` in `script` becomes the value.
fn parts(script: &str, value: &str) -> Vec<Part> {
    let mut parts = vec![];
    for (nth, text) in script.split("{{p}}").enumerate() {
        if nth > 0 {
            parts.push(Part::Data { name: "p".to_owned(), text: value.to_owned() });
        }
        parts.push(Part::Script(text.to_owned()));
    }
    parts.push(Part::Script("\n".to_owned()));
    parts
}

fn rendered(script: &str, value: &str, dialect: Dialect) -> String {
    match render(&parts(script, value), dialect) {
        Ok(text) => text,
        Err(why) => format!("refused {}", why.place),
    }
}

/// A directory that goes when it is dropped.
struct Place(PathBuf);

impl Place {
    fn new() -> Place {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("document-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("a directory");
        Place(path)
    }

    /// What the script prints, and whether what a value says was run.
    fn run(&self, shell: &str, script: &str) -> (Vec<u8>, bool) {
        fs::write(self.0.join("script"), script).expect("a script");
        let mut command = Command::new("timeout");
        command.args(["5", shell, "script"]).current_dir(&self.0).stdin(Stdio::null());
        let output = command.env_clear().env("PATH", "/usr/bin:/bin").output().expect("a shell");
        (output.stdout, self.0.join("owned").exists())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Scripts that print the value, and nothing else, where they take it.
const PRINTING: &[&str] = &[
    "printf %s {{p}}",
    "printf %s '{{p}}'",
    "printf %s \"{{p}}\"",
    "x={{p}}; printf %s \"$x\"",
    "x=\"{{p}}\"\nprintf %s \"$x\"",
    "x='{{p}}'\n\nprintf '%s' \"$x\"",
    "printf %s {{p}}\"\"''",
    "printf %s \"\"{{p}}",
    "case {{p}} in *) printf %s {{p}};; esac",
    "case x in ({{p}}) ;; x) printf %s '{{p}}';; esac",
    "f() { printf %s \"$1\"; }; f {{p}}",
    "for x in {{p}}; do printf %s \"$x\"; done",
    "printf %s {{p}} >file 2>&1; cat file",
    "printf %s {{p}}>file; cat file",
    "{ printf %s {{p}}; }",
    "(printf %s {{p}})",
    "true && printf %s \"{{p}}\" | cat # a comment's quote",
    "# it's a comment\nprintf %s {{p}}",
    "cat <<'END' >/dev/null\nit's $(\nEND\nprintf %s {{p}}",
    "cat <<END >/dev/null; printf %s {{p}}\nit's\nEND",
    "x=$(echo a 'b' \"c\"); printf %s \"{{p}}\"",
    "x=`echo a`; printf %s '{{p}}'",
    "x=${y:-z}${#y}$#; printf %s \"{{p}}\"",
    "x=$((1 + (2 * 3))); printf %s {{p}}",
    "x=\"$(echo \"a\")\"; printf %s \"{{p}}\"",
    "x=a\\'b; printf %s {{p}}",
    "printf %s \\\n{{p}}",
    "printf '%s' \"$(printf %s {{p}})\"",
    "printf %s `printf %s {{p}}`",
    "# {{p}}\nprintf %s {{p}}",
    "printf %s ${x:-{{p}}}",
    "eval printf %s {{p}}",
    "sh -c \"printf %s {{p}}\"",
    "#!/bin/bash\nprintf %s {{p}}",
    "#!/usr/bin/env sh\nprintf %s \"{{p}}\"",
];

/// Pieces of values that would do something if they were script.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        6 => prop::sample::select(&[
            "'", "\"", "\\", "`", "$", "\n", ";", "&", "|", "(", ")", "{", "}", "<", ">", "*", "?", "[", "]", "~", "!", "#",
            " ", "\t", "=", "-", "--", "\r", ",", "^", "%", "@",
        ][..]).prop_map(str::to_owned),
        4 => prop::sample::select(&[
            "$(touch owned)", "`touch owned`", ";touch owned;", "\ntouch owned\n", "|touch owned|", "&&touch owned&&",
            "';touch owned;'", "\";touch owned;\"", "\\';touch owned;#", "$'\\'';touch owned;'", "$((a[$(touch owned)]))",
            "a[$(touch owned)]", "x[`touch owned`]=1", "END\ntouch owned\n", "EOF\n$(touch owned)\n", ")\ntouch owned\n(", "}\ntouch owned\n{",
            "*/;touch owned", "<(touch owned)", "${x:-$(touch owned)}", "@P", "2", "-n", "-e", "é", "日本", "\u{2019}", "\u{a0}", "\u{7f}",
            "{{p}}", "END", "fi", "done", "then touch owned;", "*)touch owned;;esac;", "~root", "$HOME", "${PATH}", "!!", "\u{1}",
        ][..]).prop_map(str::to_owned),
        2 => "[a-z0-9]{0,4}",
        1 => any::<char>().prop_filter("NUL is refused everywhere", |char| *char != '\0').prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

/// Pieces of scripts, none of which runs anything that could make the file, or runs its arguments.
fn script() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(
        &[
            "{{p}}",
            "{{p}}",
            "{{p}}",
            "'",
            "\"",
            "\\",
            "`",
            "$",
            "${",
            "}",
            "$(",
            ")",
            "((",
            "))",
            "$((",
            "(",
            "<<",
            "<<-",
            "<<'END'",
            "<<END",
            "\nEND\n",
            "\n\tEND\n",
            "<<\"END\"",
            "<<\\END",
            "<<<",
            "#",
            " # ",
            "\n",
            "\n",
            ";",
            " ; ",
            "& ",
            "|",
            " ",
            " ",
            "\t",
            "echo ",
            "case x in ",
            "esac",
            "x)",
            ";;",
            "[[ ",
            " ]]",
            " -eq 1",
            "a[",
            "]=1",
            "x=",
            "x:-",
            "$'",
            "$\"",
            "it's",
            "\\\n",
            "END",
            "!",
            "{ ",
            " }",
            "if true; then ",
            " fi",
            "for i in ",
            "; do ",
            " done",
            "$x",
            "$#",
            "${#x}",
            "${x#",
            "\\'",
            "\\\"",
            "\\\\",
            "\\`",
            ">f",
            "2>",
            "=",
            "~",
            "*",
            "[",
            "]",
            "printf %s ",
            "export ",
            "unset ",
            "test -n ",
            "a=(",
            "@(",
        ][..],
    );
    prop::collection::vec(piece, 1..14).prop_map(|pieces| pieces.concat())
}

fn shells() -> impl Strategy<Value = &'static str> {
    let found = ["sh", "bash"].into_iter().filter(|name| PathBuf::from("/bin").join(name).exists());
    prop::sample::select(found.collect::<Vec<_>>())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_shell_prints_the_value_and_runs_nothing_of_it(
        template in prop::sample::select(PRINTING), value in hostile(), shell in shells()
    ) {
        if let Ok(text) = render(&parts(template, &value), Dialect::Posix) {
            let (printed, owned) = Place::new().run(shell, &text);
            prop_assert!(!owned, "{text}");
            prop_assert_eq!(String::from_utf8_lossy(&printed), value, "{}", text);
        }
    }

    #[test]
    fn whatever_the_script_is_nothing_of_a_value_runs(template in script(), value in hostile(), shell in shells()) {
        if let Ok(text) = render(&parts(&template, &value), Dialect::Posix) {
            prop_assert!(!Place::new().run(shell, &text).1, "{text}");
        }
    }
}

fn check(dialect: Dialect, lines: &[(&str, &str)], expect: Expect) {
    let line = |(script, value): &(&str, &str)| format!("{}\n", rendered(script, value, dialect));
    expect.assert_eq(&lines.iter().map(line).collect::<String>());
}

#[test]
fn what_is_harmless_is_pasted_as_on_aws() {
    check(
        Dialect::Posix,
        &[
            ("systemctl restart {{p}}", "nginx.service"),
            ("echo {{p}}", "/srv/a-b_c:1.2@x%20+y"),
            ("for i in {1..{{p}}}; do :; done", "5"),
            ("cat <<EOF\nhost={{p}}\nEOF", "web-1.example.com"),
            ("x=$(date -d {{p}})", "2026-11-24"),
            ("# {{p}}", "a-comment"),
            ("echo 日本{{p}}", "東京"),
            ("echo ${x:-{{p}}} $((1 + {{p}})) \"$HOST_{{p}}\"", "12"),
        ],
        expect![[r#"
            systemctl restart nginx.service

            echo /srv/a-b_c:1.2@x%20+y

            for i in {1..5}; do :; done

            cat <<EOF
            host=web-1.example.com
            EOF

            x=$(date -d 2026-11-24)

            # a-comment

            echo 日本東京

            echo ${x:-12} $((1 + 12)) "$HOST_12"

        "#]],
    );
}

#[test]
fn what_is_not_harmless_is_quoted_for_its_place() {
    check(
        Dialect::Posix,
        &[
            ("echo {{p}}", "a b"),
            ("echo {{p}}", ""),
            ("echo {{p}}", "it's"),
            ("echo {{p}}", "fi"),
            ("echo x {{p}}>f", "2"),
            ("echo 'a {{p}} b'", "it's $x"),
            ("echo \"a {{p}} b\"", "it's $x `y` \"z\" \\ !"),
            ("X={{p}} cmd", "a=b"),
            ("echo it\\'s {{p}}", "a;b"),
            ("echo \"two\nlines {{p}}\" {{p}}", "$a"),
        ],
        expect![[r#"
            echo 'a b'

            echo ''

            echo 'it'\''s'

            echo 'fi'

            echo x '2'>f

            echo 'a it'\''s $x b'

            echo "a it's \$x \`y\` \"z\" \\ ! b"

            X='a=b' cmd

            echo it\'s 'a;b'

            echo "two
            lines \$a" '$a'

        "#]],
    );
}

#[test]
fn where_no_quoting_is_certain_a_value_is_refused() {
    check(
        Dialect::Posix,
        &[
            ("cat <<EOF\n{{p}}\nEOF", "a b"),
            ("cat <<'EOF'\n{{p}}\nEOF", "a b"),
            ("cat <<EOF\n{{p}}\nEOF", "EOF"),
            ("cat <<{{p}}\nx\nEOF", "a b"),
            ("echo $(ls {{p}})", "a b"),
            ("echo \"$(ls {{p}})\"", "a b"),
            ("echo `ls {{p}}`", "a b"),
            ("# {{p}}", "a b"),
            ("echo \\{{p}}", "a b"),
            ("echo \"${{p}}\"", "(touch owned)"),
            ("echo ${x:-{{p}}}", "a b"),
            ("echo ${x{{p}}}", "@P"),
            ("echo $(( {{p}} ))", "a[1]"),
            ("a[{{p}}]=1", "b c"),
            ("unset \"a[{{p}}]\"", "$(x)"),
            ("[[ {{p}} -eq 1 ]]", "a[$(x)]"),
            ("test -v \"{{p}}\"", "a[`x`]"),
            ("eval ls {{p}}", "a b"),
            ("sudo -u x sh -ec \"ls {{p}}\"", "a b"),
            ("ssh host ls '{{p}}'", "a b"),
            ("x=$(case y in y) echo;; esac); echo \"{{p}}\"", "a b"),
            ("#!/usr/bin/python3\nprint('{{p}}')", "a b"),
            ("echo {{p}}", "a\0b"),
        ],
        expect![[r#"
            refused in a here-document
            refused in a here-document
            refused as the end of a here-document
            refused as the end of a here-document
            refused in $( )
            refused in $( )
            refused in ` `
            refused in a comment
            refused after a backslash
            refused after a $
            refused in ${ }
            refused in ${ }
            refused in (( ))
            refused in an index
            refused in an index
            refused where an index is evaluated
            refused where an index is evaluated
            refused to a command that runs its arguments
            refused to a command that runs its arguments
            refused to a command that runs its arguments
            refused after what may be read in two ways
            refused after what may be read in two ways
            refused with a NUL character
        "#]],
    );
}

#[test]
fn powershell_has_quotes_of_its_own() {
    check(
        Dialect::PowerShell,
        &[
            ("Write-Output {{p}}", "C:\\Temp\\a-b.txt"),
            ("Write-Output {{p}}", "a b"),
            ("Write-Output {{p}}", "-Force"),
            ("Write-Output {{p}}", ""),
            ("Write-Output '{{p}}'", "it's \u{2019}; Remove-Item x"),
            ("Write-Output \"x {{p}}\"", "$(Remove-Item x) `\" \u{201c}"),
            ("$x = {{p}}; Write-Output ({{p}})", "a;b"),
            ("# it's\nWrite-Output {{p}}", "a;b"),
            ("<# it's #> Write-Output {{p}}", "a;b"),
            ("Write-Output a{{p}}", "a;b"),
            ("Write-Output \"$({{p}})\"", "a;b"),
            ("Write-Output \"`{{p}}\"", "\""),
            ("Write-Output `{{p}}", "a;b"),
            ("Write-Output $${{p}}", "a;b"),
            ("# {{p}}", "a;b"),
            ("@'\n{{p}}\n'@", "a;b"),
            ("@'\nit's\n'@ + {{p}}", "a;b"),
            ("cmd --% {{p}}", "a;b"),
        ],
        expect![[r#"
            Write-Output C:\Temp\a-b.txt

            Write-Output 'a b'

            Write-Output '-Force'

            Write-Output ''

            Write-Output 'it''s ’’; Remove-Item x'

            Write-Output "x `$(Remove-Item x) ```" `“"

            $x = 'a;b'; Write-Output ('a;b')

            # it's
            Write-Output 'a;b'

            <# it's #> Write-Output 'a;b'

            refused next to other characters
            refused after what may be read in two ways
            refused after a `
            refused after a `
            refused after a $
            refused in a comment
            refused in a here-string
            @'
            it's
            '@ + 'a;b'

            refused after what may be read in two ways
        "#]],
    );
}
