//! Stores that cannot be used say why, and no text shows a secret.

use std::env;
use std::fs;
use std::process::Command;

use bytes::Bytes;
use hyper::Method;
use pumice::objects::{Objects, ObjectsFault};
use pumice::settings::{ObjectsSettings, S3Settings, Secret};

use crate::s3::{ACCESS_KEY, Fault, S3Server, SECRET_KEY};
use crate::{patience, run};

fn open(settings: S3Settings) -> Result<Objects, ObjectsFault> {
    Objects::open_with(&ObjectsSettings::S3(settings), patience())
}

#[test]
fn faults_name_the_setting() {
    let server = S3Server::start("snapshots");
    let good = server.settings("p");
    let odd = S3Settings { endpoint: Some("localhost:9".to_owned()), ..good.clone() };
    let fault = open(odd).unwrap_err().to_string();
    assert!(fault.contains("localhost:9") && fault.contains("http://"), "{fault}");
    assert!(open(S3Settings { bucket: "a/b".to_owned(), ..good.clone() }).is_err());

    let mut secret = good.clone();
    secret.credentials.as_mut().unwrap().secret_key = Secret::new("not-the-secret");
    let put = run(open(secret).unwrap().put("n/a", Bytes::new())).unwrap_err();
    assert!(matches!(put, ObjectsFault::Denied { .. }), "{put}");
    assert!(put.to_string().contains("access key"), "{put}");

    let other = S3Settings { bucket: "elsewhere".to_owned(), ..good.clone() };
    let list = run(open(other).unwrap().list("")).unwrap_err();
    assert!(matches!(list, ObjectsFault::Settings(_)), "{list}");

    let nobody = S3Settings { endpoint: Some("http://127.0.0.1:1".to_owned()), ..good.clone() };
    let get = run(open(nobody).unwrap().get("n/a", 1)).unwrap_err();
    assert!(get.is_retryable(), "{get}");

    let store = open(good).unwrap();
    assert_eq!(store.to_string(), format!("s3://snapshots/p at {}", server.endpoint));
    assert!(!format!("{store:?}").contains(SECRET_KEY));

    let file = tempfile::NamedTempFile::new().unwrap();
    let below = ObjectsSettings::Directory(file.path().join("objects"));
    assert!(matches!(Objects::open(&below), Err(ObjectsFault::Settings(_))));
}

/// In a process of its own, since it needs an environment of its own.
#[test]
fn a_profile_is_read_again_when_its_keys_fail() {
    const FILE: &str = "AWS_SHARED_CREDENTIALS_FILE";
    const MARK: &str = "PUMICE_TEST_CHILD";
    if env::var_os(MARK).is_none() {
        let directory = tempfile::tempdir().unwrap();
        let name = "settings::a_profile_is_read_again_when_its_keys_fail";
        let mut child = Command::new(env::current_exe().unwrap());
        child.args(["--exact", name]).env(MARK, "1").env("AWS_PROFILE", "pumice");
        child.env_remove("AWS_ACCESS_KEY_ID").env(FILE, directory.path().join("credentials"));
        let output = child.output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && told.contains("1 passed"), "{told}");
        return;
    }
    let write = |secret: &str| {
        let keys = format!("aws_access_key_id={ACCESS_KEY}\naws_secret_access_key={secret}\n");
        fs::write(env::var_os(FILE).unwrap(), format!("[pumice]\n{keys}")).unwrap();
    };
    let server = S3Server::start("snapshots");
    let settings = S3Settings { credentials: None, ..server.settings("p") };
    let store = open(settings).unwrap();
    let put = || run(store.put("n/a", Bytes::from_static(b"a")));
    write("not-the-secret");
    assert!(matches!(put(), Err(ObjectsFault::Denied { .. })));
    write(SECRET_KEY);
    put().unwrap();
    write("not-the-secret");
    // Nothing is read as long as S3 takes what there is.
    put().unwrap();
    write(SECRET_KEY);
    server.faults().plan(1, Method::PUT, "", Fault::Status(400, "ExpiredToken"));
    put().unwrap();
    assert_eq!(server.faults().struck(), 1);
}
