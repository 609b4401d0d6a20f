//! The requests that a demo shows: each is sent, and printed as the `curl` line that would send it
//! with the answer that came. On the main thread.

use bytes::Bytes;
use http::Request;
use http::header::CONTENT_TYPE;
use pumice_client::Client;

use crate::cli::output::{Failure, print_line};

/// Characters of an answer that are shown.
const SHOWN: usize = 600;

struct Stop {
    why: &'static str,
    method: &'static str,
    path: &'static str,
    body: Option<&'static str>,
    status: u16,
}

const STOPS: [Stop; 8] = [
    Stop {
        why: "One record: Lipari, the island that the world's pumice comes from",
        method: "GET",
        path: "/v1/records/IT/15%2FME%2FLipari",
        body: None,
        status: 200,
    },
    Stop {
        why: "A listing, by sort key: two places of Iceland whose key starts with 43/",
        method: "GET",
        path: "/v1/records/IS?prefix=43%2F&limit=2",
        body: None,
        status: 200,
    },
    Stop {
        why: "A conditional put that makes a record",
        method: "PUT",
        path: "/v1/records/demo/stone?if=data%20==%20null",
        body: Some(r#"{"rock":"pumice","floats":true}"#),
        status: 201,
    },
    Stop {
        why: "The same again: judged, and refused",
        method: "PUT",
        path: "/v1/records/demo/stone?if=data%20==%20null",
        body: Some(r#"{"rock":"obsidian","floats":false}"#),
        status: 412,
    },
    Stop {
        why: "A batch, all or nothing",
        method: "POST",
        path: "/v1/batch",
        body: Some(concat!(
            r#"{"operations":[{"put":{"pk":"demo","sk":"sand","data":[1,2,3],"ttl":60000}},"#,
            r#"{"delete":{"pk":"demo","sk":"stone","expect":"exists"}}]}"#
        )),
        status: 200,
    },
    Stop {
        why: "Many records at once: one that is there, one that no longer is",
        method: "POST",
        path: "/v1/records:get",
        body: Some(r#"{"keys":[{"pk":"demo","sk":"sand"},{"pk":"demo","sk":"stone"}]}"#),
        status: 200,
    },
    Stop {
        why: "FireScroll's API on the same data",
        method: "POST",
        path: "/records/get",
        body: Some(r#"{"Records":[{"pk":"IT","sk":"15/ME/Lipari"}]}"#),
        status: 200,
    },
    Stop { why: "The namespace", method: "GET", path: "/v1/namespace", body: None, status: 200 },
];

/// Shows every stop of the tour; an answer with another status than the one foretold is a failure.
pub async fn show(client: &Client, url: &str) -> Result<(), Failure> {
    for stop in &STOPS {
        print_line(&format!("# {}\n$ {}", stop.why, stop.curl(url)))?;
        let answer = client.exchange(stop.request()?).await?;
        print_line(&format!("{}\n", shown(answer.body())))?;
        let status = answer.status().as_u16();
        if status != stop.status {
            let Stop { method, path, status: wanted, .. } = stop;
            return Err(Failure::new(format!("{method} {path} gave {status}, not {wanted}")));
        }
    }
    Ok(())
}

impl Stop {
    fn request(&self) -> Result<Request<Bytes>, Failure> {
        let mut request = Request::builder().method(self.method).uri(self.path);
        if self.body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let body = Bytes::from_static(self.body.unwrap_or_default().as_bytes());
        request.body(body).map_err(Failure::new)
    }

    fn curl(&self, url: &str) -> String {
        let address = format!("{url}{}", self.path);
        // Only these mean something to a shell in the addresses above.
        let quoted =
            if self.path.contains(['?', '&', '*']) { format!("'{address}'") } else { address };
        let sent = |body| format!("-H 'content-type: application/json' -d '{body}'");
        match (self.method, self.body) {
            (_, None) => format!("curl {quoted}"),
            ("POST", Some(body)) => format!("curl {quoted} {}", sent(body)),
            (method, Some(body)) => format!("curl -X {method} {quoted} {}", sent(body)),
        }
    }
}

fn shown(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let text = text.trim_end();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{} ...", &text[..end]),
        None => text.to_owned(),
    }
}
