//! What the server says of itself: its document, its namespace, and the words for a wrong turn.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::server::request;
use crate::{Api, JSON, error};

/// Every route of the public port with the methods it has.
const ROUTES: &[(&str, &str)] = &[
    ("/v1/records/{pk}/{sk}", "GET, HEAD, PUT, DELETE"),
    ("/v1/records/{pk}", "GET"),
    ("/v1/records", "GET"),
    ("/v1/records:get", "POST"),
    ("/v1/records:look", "POST"),
    ("/v1/batch", "POST"),
    ("/v1/namespace", "GET"),
    ("/v1/routes", "GET"),
    ("/v1/partitions/{partition}/snapshot", "GET"),
    ("/openapi.json", "GET"),
    ("/records/put", "POST"),
    ("/records/delete", "POST"),
    ("/records/get", "POST"),
    ("/records/list", "POST"),
    ("/records/batch", "POST"),
    ("/up", "GET, HEAD"),
    ("/ready", "GET, HEAD"),
];

const METHODS: [&str; 6] = ["GET", "HEAD", "PUT", "DELETE", "POST", "PATCH"];

#[test]
fn other_methods_are_told_the_right_ones() {
    let api = Api::start();
    for (route, has) in ROUTES {
        let target = route.replace("{pk}", "p").replace("{sk}", "s").replace("{partition}", "0");
        for method in METHODS {
            let known = has.split(", ").any(|one| one == method);
            let reply = request(api.server.http, method, &target, &[], b"");
            assert_eq!(reply.status == 405, !known, "{method} {target}: {reply:?}");
            if known {
                continue;
            }
            assert_eq!(reply.header("allow"), Some(*has), "{method} {target}");
            if method != "HEAD" && target.starts_with("/v1") {
                assert_eq!(error(&reply, 405, "method"), format!("this route has {has}"));
            }
        }
    }
    for target in ["/v1", "/v1/", "/v1/record", "/v1/batch/", "/v1/nothing", "/v1/records:put"] {
        error(&api.get(target, &[]), 404, "not_found");
    }
    api.stop();
}

#[test]
fn the_document_has_every_route_and_its_references_lead_somewhere() {
    let api = Api::start();
    let reply = api.get("/openapi.json", &[]);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let document = reply.json();
    assert_eq!(document["openapi"], "3.1.0");
    let mut described = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            described.insert((path.clone(), method.to_uppercase()));
            assert!(!operation["responses"].as_object().unwrap().is_empty(), "{path}");
            for name in path.split('{').skip(1).filter_map(|rest| rest.split('}').next()) {
                let all = operation["parameters"].as_array().unwrap();
                assert!(all.iter().any(|p| p["name"] == name && p["in"] == "path"), "{path}");
            }
        }
    }
    let routes: BTreeSet<(String, String)> = ROUTES
        .iter()
        .flat_map(|(path, has)| has.split(", ").map(|m| ((*path).to_owned(), m.to_owned())))
        .collect();
    assert_eq!(described, routes);

    let mut references = Vec::new();
    collect(&document, &mut references);
    assert!(references.len() > 10, "{references:?}");
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    api.stop();
}

fn collect<'d>(value: &'d Value, references: &mut Vec<&'d str>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| match value {
            Value::String(reference) if name == "$ref" => references.push(reference),
            other => collect(other, references),
        }),
        Value::Array(values) => values.iter().for_each(|value| collect(value, references)),
        _ => {}
    }
}

#[test]
fn the_namespace_is_told() {
    let api = Api::start();
    let about = api.get("/v1/namespace", &[]).json();
    let wanted = serde_json::json!({ "namespace": "default", "partitions": 64, "hash": "murmur2" });
    assert_eq!(about, wanted);
    // Where pk1 lives among 64 partitions is a fact that clients compute for themselves.
    let put = request(api.server.http, "PUT", "/v1/records/pk1/s", &[JSON], b"1");
    assert_eq!(put.json()["partition"], 0x3b2e_2860_u32 % 64);
    api.stop();
}
