//! `docs/operations.md`: its blocks of commands are run, in order, against a real installation in a temporary folder; every setting
//! and every figure is in it; the units are sound.
//!
//! systemd is not run: `systemctl` is stood in for by a script that runs the unit's own `ExecStart`.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

const PAGE: &str = include_str!("../../../docs/operations.md");

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// The bodies of all blocks of a language.
fn blocks(language: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open: Option<String> = None;
    for line in PAGE.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(word)) if word == language => open = Some(String::new()),
            (None, Some(_)) => open = Some(String::from("\0")),
            (Some(_), Some("")) => found.extend(open.take().filter(|body| !body.starts_with('\0'))),
            (Some(body), _) => {
                body.push_str(line);
                body.push('\n');
            }
            (None, None) => {}
        }
    }
    found
}

/// What stands in for the service manager: enough for this page. The log goes where `journalctl` finds it.
const SYSTEMCTL: &str = r#"#!/bin/sh
unit=ROOT/etc/systemd/system/assay.service; pid=ROOT/run/assay.pid
start() {
    [ -f "$pid" ] && kill -0 "$(cat "$pid")" 2>/dev/null && return
    : > ROOT/run/out
    $(sed -n 's/^ExecStart=//p' "$unit") > ROOT/run/out 2>> ROOT/run/log & echo $! > "$pid"
    for i in $(seq 1200); do grep -q ready ROOT/run/out && return; sleep 0.05; done
    echo "not ready" >&2; cat ROOT/run/log >&2; exit 1
}
stop() { kill -TERM "$(cat "$pid")"; while kill -0 "$(cat "$pid")" 2>/dev/null; do sleep 0.05; done; rm "$pid"; }
case "$1" in
    daemon-reload) ;;
    enable|start) start ;;
    stop) stop ;;
    restart) [ -f "$pid" ] && stop; start ;;
    *) echo "unknown: $*" >&2; exit 1 ;;
esac
"#;

struct Installation {
    folder: tempfile::TempDir,
    pages: u16,
    figures: u16,
}

impl Installation {
    fn new() -> Self {
        let free = || TcpListener::bind("127.0.0.1:0").unwrap();
        let ports = [free(), free()].map(|listener| listener.local_addr().unwrap().port());
        let here = Self { folder: tempfile::tempdir().unwrap(), pages: ports[0], figures: ports[1] };
        for folder in ["run", "stand-ins", "target/release"] {
            fs::create_dir_all(here.root().join(folder)).unwrap();
        }
        fs::copy(env!("CARGO_BIN_EXE_assay"), here.root().join("target/release/assay")).unwrap();
        for name in ["packs", "packaging"] {
            std::os::unix::fs::symlink(repository().join(name), here.root().join(name)).unwrap();
        }
        here.stand_in("systemctl", SYSTEMCTL);
        here.stand_in("journalctl", "#!/bin/sh\nexec tail -n 20 ROOT/run/log\n");
        here.stand_in("useradd", "#!/bin/sh\nexit 0\n");
        here
    }

    fn root(&self) -> &Path {
        self.folder.path()
    }

    fn stand_in(&self, name: &str, script: &str) {
        let path = self.root().join("stand-ins").join(name);
        fs::write(&path, script.replace("ROOT", self.root().to_str().unwrap())).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// The same words, with everything below the temporary folder and on free ports.
    fn moved(&self, text: &str) -> String {
        let root = self.root().to_str().unwrap();
        let mut text = text.replace("127.0.0.1:8080", &format!("127.0.0.1:{}", self.pages));
        text = text.replace("127.0.0.1:9100", &format!("127.0.0.1:{}", self.figures));
        for path in ["/etc/assay", "/etc/systemd", "/var/lib/assay", "/srv/packs", "/srv/backups", "/usr/local/bin"] {
            text = text.replace(path, &format!("{root}{path}"));
        }
        text
    }

    fn run(&self, block: &str) -> Output {
        let path = format!("{0}/stand-ins:{0}/usr/local/bin:{1}", self.root().display(), std::env::var("PATH").unwrap());
        let mut command = Command::new("bash");
        command.args(["-euo", "pipefail", "-c", &self.moved(block)]).current_dir(self.root());
        command.env("PATH", path).env("NO_PROXY", "*").stdin(Stdio::null()).output().unwrap()
    }

    /// For a unit or a file that was put in place.
    fn edit(&self, file: &str) {
        let path = self.root().join(file.trim_start_matches('/'));
        let text = self.moved(&fs::read_to_string(&path).unwrap());
        fs::write(&path, text).unwrap();
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        if self.root().join("run/assay.pid").exists() {
            self.run("systemctl stop assay");
        }
    }
}

#[test]
fn every_block_of_commands_does_what_the_page_says() {
    for tool in ["bash", "curl"] {
        if Command::new(tool).arg("--version").output().is_err() {
            println!("skipped: {tool} is not installed");
            return;
        }
    }
    let here = Installation::new();
    let settings = blocks("toml");
    assert_eq!(settings.len(), 1);
    let all = blocks("sh");
    assert!(all.len() >= 8, "blocks were not found");
    let mut said = String::new();
    for block in &all {
        if block.contains("systemctl daemon-reload") {
            // Between the blocks a person writes the settings; and the unit's own paths are moved like the rest.
            fs::write(here.root().join("etc/assay/assay.toml"), here.moved(&settings[0])).unwrap();
            let (put, rest) = block.split_once("systemctl daemon-reload").unwrap();
            assert!(here.run(put).status.success());
            here.edit("/etc/systemd/system/assay.service");
            let output = here.run(&format!("systemctl daemon-reload{rest}"));
            assert!(output.status.success(), "{rest}\n{output:?}");
            continue;
        }
        let output = here.run(block);
        let words = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{block}\n{words}");
        said.push_str(&words);
    }
    for words in [
        "\"ready\":true",
        "assay_answers_saved_total 0",
        "assay_answers_refused_total{reason=\"busy\"} 0",
        "600 ",
        "assay 0.",
        "\"message\":\"answered\"",
        "\"route\":\"/readyz\"",
        "It was brought back into a folder of its own to prove it",
        "Journal and database agree",
        "ok     journal",
    ] {
        assert!(said.contains(words), "{words} is not in what the commands said:\n{said}");
    }
    // Figures are nowhere but at their own address.
    let code = here.run("curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:8080/metrics").stdout;
    assert_eq!(String::from_utf8_lossy(&code), "404");
    let figures = String::from_utf8(here.run("curl -fsS http://127.0.0.1:9100/metrics").stdout).unwrap();
    for name in [
        "assay_write_queue 0",
        "assay_jobs_open{kind=\"issue\"} 0",
        "assay_connections_open 1",
        "assay_clock_alarm 0",
        "assay_journal_alarm 0",
        "assay_database_answers 1",
    ] {
        assert!(figures.lines().any(|line| line == name), "{name} is not in\n{figures}");
    }
    assert!(figures.contains("assay_commit_seconds_bucket") && figures.contains("assay_request_seconds_bucket"), "{figures}");
    assert!(here.run("systemctl stop assay").status.success());
}

/// All texts in quotation marks of one line.
fn quoted(line: &str) -> impl Iterator<Item = &str> {
    line.split('"').skip(1).step_by(2)
}

#[test]
fn every_setting_and_every_figure_is_on_the_page() {
    let settings = include_str!("../src/settings.rs");
    let known = settings.split("let known =").nth(1).unwrap().split(';').next().unwrap();
    let keys: Vec<&str> = quoted(known).collect();
    assert!(keys.len() > 8 && keys.contains(&"metrics"), "{keys:?}");
    for key in keys {
        assert!(
            PAGE.contains(&format!("| `{key}` |")) || PAGE.contains(&format!("| `[{key}]`")) || PAGE.contains(&format!("| `[{key}.")),
            "{key}"
        );
    }
    let figures = include_str!("../src/figures.rs");
    let names: Vec<&str> =
        figures.lines().filter(|line| line.trim_start().starts_with("(\"assay_")).flat_map(|line| quoted(line).take(1)).collect();
    assert!(names.len() > 15, "{names:?}");
    for name in names {
        assert!(PAGE.contains(&format!("`{name}`")), "{name}");
    }
}

#[test]
fn the_units_are_sound() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        println!("skipped: systemd-analyze is not installed");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let put = |change: &dyn Fn(String) -> String| {
        for name in ["assay.service", "assay.socket"] {
            let unit = fs::read_to_string(repository().join("packaging").join(name)).unwrap();
            // The program need not be installed for this.
            fs::write(folder.path().join(name), change(unit.replace("/usr/local/bin/assay", env!("CARGO_BIN_EXE_assay")))).unwrap();
        }
        let mut command = Command::new("systemd-analyze");
        let output = command.args(["verify", "assay.service", "assay.socket"]).current_dir(folder.path()).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (sound, words) = put(&|unit| unit);
    let ours = words.lines().filter(|line| line.contains("assay.")).collect::<Vec<_>>();
    assert!(sound && ours.is_empty(), "{words}");
    let (_, words) = put(&|unit| unit.replace("ProtectSystem=strict", "ProtectSistem=strict"));
    assert!(words.contains("ProtectSistem"), "a slip is found: {words}");
}
