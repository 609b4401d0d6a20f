//! The faulty twin does what its script says, in its order, and counts.

use std::time::Duration;

use bytes::Bytes;
use pumice::objects::{Fault, Faulty, Objects, ObjectsFault, Operation};
use pumice::settings::ObjectsSettings;

use crate::{file, run};

#[test]
fn a_script_is_followed() {
    let root = tempfile::tempdir().unwrap();
    let inner = ObjectsSettings::Directory(root.path().to_owned());
    let faulty = Faulty::new(Objects::open(&inner).unwrap());
    faulty.plan(Operation::Put, [Fault::Pass, Fault::Truncate, Fault::WrongBytes, Fault::Reset]);
    faulty.plan(Operation::Put, [Fault::SlowDown, Fault::Status(403), Fault::Truncate]);
    faulty.plan(Operation::GetRange, [Fault::WrongBytes, Fault::Truncate, Fault::ErrorBody200]);
    faulty.plan(Operation::Get, [Fault::Truncate, Fault::Status(404), Fault::ErrorBody200]);
    faulty.plan(Operation::Len, [Fault::Delay(Duration::ZERO), Fault::Truncate]);
    faulty.plan(Operation::List, [Fault::Truncate, Fault::SlowDown]);
    faulty.plan(Operation::Delete, [Fault::Reset]);
    let store = Objects::Faulty(Box::new(faulty));
    let Objects::Faulty(faulty) = &store else { unreachable!() };
    let truth = |key: &'static str| run(faulty.inner().get(key, 10)).unwrap();

    run(async {
        let put = async |key| store.put(key, Bytes::from_static(b"abcd")).await;
        put("passed").await.unwrap();
        put("short").await.unwrap();
        put("flipped").await.unwrap();
        assert!(put("told-lost").await.unwrap_err().is_retryable());
        assert!(put("slow").await.unwrap_err().is_retryable());
        assert!(matches!(put("denied").await, Err(ObjectsFault::Denied { .. })));
        let path = file(&root, b"wxyz");
        store.put_file("short-file", &path, &|_| ()).await.unwrap();
        let _ = std::fs::remove_file(path);

        assert_eq!(store.get_range("passed", 0..4).await.unwrap(), "abbd");
        for _ in 0..2 {
            let wrong = store.get_range("passed", 0..4).await.unwrap_err();
            assert!(matches!(wrong, ObjectsFault::Wrong { .. }), "{wrong}");
        }
        assert_eq!(store.get("passed", 10).await.unwrap().unwrap(), "ab");
        assert_eq!(store.get("passed", 10).await.unwrap(), None);
        assert!(store.get("passed", 10).await.unwrap().unwrap().starts_with(b"<Error>"));
        assert_eq!(store.len("passed").await.unwrap(), Some(4));
        assert_eq!(store.len("passed").await.unwrap(), Some(2));
        assert_eq!(store.list("").await.unwrap().len(), 2);
        assert!(store.list("").await.unwrap_err().is_retryable());
        assert!(store.delete("told-lost").await.unwrap_err().is_retryable());
    });
    let struck = [Operation::Put, Operation::GetRange, Operation::Get, Operation::Len];
    assert_eq!(struck.map(|operation| faulty.struck(operation)), [6, 3, 3, 2]);
    assert_eq!(truth("passed").unwrap(), "abcd");
    assert_eq!(truth("short").unwrap(), "ab");
    assert_eq!(truth("flipped").unwrap(), "abbd");
    assert_eq!(truth("short-file").unwrap(), "wx");
    assert_eq!((truth("told-lost"), truth("slow"), truth("denied")), (None, None, None));
}
