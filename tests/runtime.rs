//! Which runtime serves, from outside: as told, as the machine allows, and what is said about it.
//! What forbids io_uring here is what forbids it in a container: a seccomp filter on this thread,
//! which the server inherits.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod server;

use std::process::Command;
use std::thread;

use server::{PUMICE, Server, request};

/// Runs `test` on a thread whose children may not use io_uring, as under docker's own profile.
#[expect(unsafe_code, reason = "a seccomp filter has no safe interface")]
fn without_io_uring<T: Send>(test: impl FnOnce() -> T + Send) -> T {
    let load = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    let jump_if_equal = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    let answer = (libc::BPF_RET | libc::BPF_K) as u16;
    let refused = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
    let line = |code, jt, k| libc::sock_filter { code, jt, jf: 0, k };
    // `seccomp_data` begins with the number of the call.
    let mut filter = [
        line(load, 0, 0),
        line(jump_if_equal, 1, libc::SYS_io_uring_setup as u32),
        line(answer, 0, libc::SECCOMP_RET_ALLOW),
        line(answer, 0, refused),
    ];
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let len = filter.len() as u16;
            let program = libc::sock_fprog { len, filter: filter.as_mut_ptr() };
            // SAFETY: the program outlives the calls, which copy it; they concern this thread.
            let set = unsafe {
                libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
                    | libc::prctl(
                        libc::PR_SET_SECCOMP,
                        libc::SECCOMP_MODE_FILTER,
                        &raw const program,
                    )
            };
            assert_eq!(set, 0, "{}", std::io::Error::last_os_error());
            test()
        });
        thread.join().unwrap()
    })
}

fn runtime_of(server: &Server) -> String {
    let status = request(server.admin, "GET", "/v1/status", &[], b"");
    status.json()["runtime"].as_str().unwrap().to_owned()
}

/// It writes and reads, says in its log and its status that it is on `runtime`, and drains.
fn serves(server: Server, runtime: &str) {
    let json = [("content-type", "application/json")];
    let put = request(server.http, "PUT", "/v1/records/a/b", &json, b"[1]");
    assert_eq!(put.status, 201, "{put:?}");
    let got = request(server.http, "GET", "/v1/records/a/b", &[], b"");
    assert_eq!((got.status, got.text().as_str()), (200, "[1]"));
    assert_eq!(runtime_of(&server), runtime);
    let started = server.log().pop().unwrap();
    assert!(started.ends_with(&format!(", on {runtime}")), "{started}");
    assert!(server.stop().success());
}

#[test]
fn tokio_serves_when_told() {
    let dir = tempfile::tempdir().unwrap();
    serves(Server::start(dir.path(), &["--runtime", "tokio"]), "tokio");
}

#[test]
fn glommio_serves_where_io_uring_is_allowed() {
    if let Err(missing) = pumice::rt::probe() {
        return println!("skipped: {missing}");
    }
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start_with(dir.path(), &[], &[("PUMICE_RUNTIME", "")]);
    serves(server, "glommio");
}

#[test]
fn without_io_uring_auto_serves_on_tokio_and_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let server = without_io_uring(|| Server::start(dir.path(), &["--runtime", "auto"]));
    let said: Vec<_> = server.log().into_iter().filter(|line| line.contains("seccomp")).collect();
    assert!(said.len() == 1 && said[0].contains("serving on tokio"), "{said:?}");
    serves(server, "tokio");
}

#[test]
fn without_io_uring_glommio_is_refused_with_the_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("new");
    let flags = ["--runtime", "glommio", "--http", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
    let refused = without_io_uring(|| {
        let mut command = Command::new(PUMICE);
        command.arg("serve").args(flags).arg("--data-dir").arg(&path).output().unwrap()
    });
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(78), "{said}");
    assert!(said.contains("io_uring is forbidden here") && said.contains("seccomp"), "{said}");
    assert!(said.contains("--runtime tokio"), "{said}");
    assert!(!path.exists(), "a refused start makes no data directory");
}

#[test]
fn a_limit_of_locked_memory_is_a_reason_too() {
    let dir = tempfile::tempdir().unwrap();
    let limited = "ulimit -l 64; exec \"$0\" serve --runtime glommio --data-dir \"$1\"";
    let refused =
        Command::new("sh").args(["-c", limited, PUMICE]).arg(dir.path()).output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(78), "{said}");
    assert!(said.contains("the limit of locked memory is 64 KiB"), "{said}");
}
