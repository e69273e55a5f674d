//! `cargo xtask dev` keeps its promises: ready, kept running, nothing left behind, same data.

use std::time::Duration;

use edgetally_tests::dev::{Dev, within};
use edgetally_tests::http;
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

// The contract's limit for a part that died.
const RESTART_LIMIT: Duration = Duration::from_secs(5);

/// All processes whose environment or command names the data folder: everything that dev started.
fn processes_of(dev: &Dev) -> Vec<i32> {
    let data = dev.data().display().to_string();
    let names_it = |file: std::path::PathBuf| {
        std::fs::read(file).is_ok_and(|text| String::from_utf8_lossy(&text).contains(&data))
    };
    std::fs::read_dir("/proc")
        .expect("Linux")
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok().zip(Some(entry.path())))
        .filter(|(_, path)| names_it(path.join("cmdline")) || names_it(path.join("environ")))
        .map(|(pid, _)| pid)
        .collect()
}

fn is_gone(pid: i32) -> bool {
    kill(Pid::from_raw(pid), None) == Err(Errno::ESRCH)
}

fn assert_all_gone(pids: &[i32]) {
    let left: Vec<i32> = pids.iter().copied().filter(|pid| !is_gone(*pid)).collect();
    assert_eq!(left, Vec::<i32>::new(), "processes were left behind");
}

fn wait_for_health(url: &str) {
    within(url, RESTART_LIMIT, || Ok(http::get(url).ok().filter(|answer| answer.status == 200)))
        .expect("the part answers again");
}

#[test]
fn it_gets_ready_and_a_closed_stdin_leaves_nothing() {
    let dev = Dev::start().expect("ready");
    for member in [
        "edge",
        "aggregator",
        "shop",
        "site",
        "write_key",
        "server_key",
        "read_key",
        "admin_key",
        "data",
    ] {
        assert!(!dev.text(member).is_empty(), "{member} in {}", dev.ready());
    }
    for url in [dev.edge("/healthz"), dev.aggregator("/healthz"), dev.aggregator("/readyz")] {
        assert_eq!(http::get(&url).expect("an answer").status, 200, "{url}");
    }
    for name in ["aggregator", "workerd"] {
        assert_eq!(dev.ready()["pids"][name], dev.pid(name).expect("a pid"));
    }
    let mut pids = processes_of(&dev);
    pids.extend([dev.pid("aggregator"), dev.pid("workerd")].map(|pid| pid.expect("a pid")));
    assert!(pids.len() >= 4, "aggregator, node and workerd at least are running: {pids:?}");
    assert!(dev.stop().expect("it ends").success());
    assert_all_gone(&pids);
}

#[test]
fn sigterm_ends_all_and_sigkill_too() {
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGKILL] {
        let dev = Dev::start().expect("ready");
        let pids = [dev.pid("aggregator"), dev.pid("workerd")].map(|pid| pid.expect("a pid"));
        let status = dev.stop_by(signal).expect("it ends");
        assert_eq!(status.success(), signal != Signal::SIGKILL);
        // Nobody is left to wait for them after SIGKILL, so they take a moment more.
        within("the parts to end", Duration::from_secs(5), || {
            Ok(pids.iter().all(|pid| is_gone(*pid) || is_zombie(*pid)).then_some(()))
        })
        .expect("nothing is left");
    }
}

/// Dead, but its new parent has not asked yet how it ended; that is not ours to do.
fn is_zombie(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" Z")))
}

#[test]
fn a_killed_part_is_back_on_the_same_port_within_five_seconds() {
    let dev = Dev::start().expect("ready");
    for (name, url) in
        [("workerd", dev.edge("/healthz")), ("aggregator", dev.aggregator("/readyz"))]
    {
        for _ in 0..2 {
            let old = dev.kill(name).expect("killed");
            within("another process id", RESTART_LIMIT, || {
                Ok(dev.pid(name).ok().filter(|pid| *pid != old))
            })
            .expect("pids.json is current");
            wait_for_health(&url);
        }
    }
}

#[test]
fn the_same_folder_keeps_keys_and_refuses_a_second_run() {
    let data = tempfile::tempdir().expect("a folder");
    let first = Dev::start_on(data.path()).expect("ready");
    let error = Dev::start_on(data.path()).err().expect("two runs on one folder");
    assert!(format!("{error:#}").contains("in use"), "{error:#}");
    let keys = ["write_key", "server_key", "read_key", "admin_key"];
    let kept = keys.map(|key| first.text(key).to_owned());
    first.stop().expect("it ends");
    let second = Dev::start_on(data.path()).expect("ready again");
    assert_eq!(keys.map(|key| second.text(key).to_owned()), kept);
}
