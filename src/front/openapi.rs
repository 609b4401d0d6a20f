//! `/openapi.json`: the routes of the public port, with schemas generated from the very types that
//! the server writes and the client reads. Made once a process, on first use; answers no request.

use std::sync::OnceLock;

use pumice_model::wire;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

/// One operation of the API.
struct Operation {
    method: &'static str,
    path: &'static str,
    summary: &'static str,
    /// Those of the query and the head; path parameters are read off the path.
    parameters: &'static [Parameter],
    request: Option<Schema>,
    answers: &'static [Reply],
}

/// Name, place, description.
type Parameter = (&'static str, &'static str, &'static str);
/// Status, description, schema.
type Reply = (&'static str, &'static str, Option<Schema>);
/// Makes a schema, or names `any` for any JSON value.
type Schema = fn(&mut SchemaGenerator) -> Value;

fn any(_: &mut SchemaGenerator) -> Value {
    json!({})
}

fn object(_: &mut SchemaGenerator) -> Value {
    json!({ "type": "object" })
}

macro_rules! schema {
    ($type:ty) => {
        |generator| generator.subschema_for::<$type>().to_value()
    };
}

const ERROR: Schema = schema!(wire::ErrorBody<'static>);
const WRITE: Schema = schema!(wire::WriteBody<'static>);
const MIN_OFFSETS: Parameter =
    (wire::MIN_OFFSETS, "header", "P:O,..: read only when these offsets are applied");
const TIMEOUT: Parameter = (
    wire::TIMEOUT_MS,
    "header",
    "how long to wait for them, and for other nodes: 0 to 30000, default 2000, and 5000 for nodes",
);
const MAX_LAG: Parameter = (
    wire::MAX_LAG_MS,
    "header",
    "how old the answer may be in milliseconds; else another node is asked, or 503 code behind \
     with the best pumice-lag-ms known",
);
const WRITE_ID: Parameter =
    (wire::WRITE_ID, "header", "32 hex digits: a repeat gets the first outcome");
const IF: Parameter = ("if", "query", "a condition over the stored record");
const WAIT: Parameter = ("wait", "query", "log: durable; applied (default): judged");
const IF_MATCH: Parameter =
    ("if-match", "header", "an ETag or *: the stored record must be this one, or any");
const ABSENT: Parameter = ("if-none-match", "header", "*: there must be no record");
const READ: &[Parameter] = &[
    MIN_OFFSETS,
    MAX_LAG,
    TIMEOUT,
    ("if-none-match", "header", "ETags known, or *: 304"),
    ("if-modified-since", "header", "the last-modified known, to the letter: 304"),
    ("if-match", "header", "ETags wanted, or *: 412 when the record has another"),
];
const INVALID: Reply = ("400", "the request does not read", Some(ERROR));
const REFUSED: Reply = ("412", "judged, and not made", Some(ERROR));
const AWAY: Reply = ("503", "certain that nothing was done; see Retry-After", Some(ERROR));
const UNKNOWN: Reply = ("504", "sent, outcome unknown", Some(ERROR));

const CHANGE: &[Parameter] = &[FIRE_WAIT, WRITE_ID];
const FIRE_READ: &[Parameter] = &[MIN_OFFSETS, MAX_LAG, TIMEOUT];
const FIRE_WAIT: Parameter = ("wait", "query", "log (default): text ok; applied: outcomes");
const NOT_READ: Reply = ("400", "the request does not read, as text", None);
const LARGE: Reply = ("413", "value or body too large", Some(ERROR));
const NOT_JSON: Reply = ("415", "the body is not JSON", Some(ERROR));
const FIRE_AWAY: Reply = ("503", "certain that nothing was done; see Retry-After", Some(object));
const FIRE_UNKNOWN: Reply = ("504", "sent, outcome unknown", Some(object));
const NOT_JUDGED: Reply = ("500", "the `if` of a list could not be judged", Some(object));
const FIRE_LARGE: Reply = ("413", "the body is too large, as text", None);
const OUTCOMES: &[Reply] = &[
    ("200", "ok, or the outcomes", Some(schema!(wire::FireOutcomes<'static>))),
    NOT_READ,
    FIRE_LARGE,
    FIRE_AWAY,
    FIRE_UNKNOWN,
];
const RECORDS: &[Reply] = &[
    ("200", "the records", Some(schema!(wire::FireList<'static>))),
    NOT_READ,
    FIRE_LARGE,
    NOT_JUDGED,
    FIRE_AWAY,
];
const FIRE_PUT: Operation = Operation {
    request: Some(schema!(wire::FirePutRequest<'static>)),
    ..fire("/records/put", "FireScroll: puts, each record an entry of its own", CHANGE, OUTCOMES)
};

const fn fire(
    path: &'static str,
    summary: &'static str,
    parameters: &'static [Parameter],
    answers: &'static [Reply],
) -> Operation {
    Operation { method: "post", path, summary, parameters, request: Some(object), answers }
}

const OPERATIONS: &[Operation] = &[
    Operation {
        method: "get",
        path: "/v1/records/{pk}/{sk}",
        summary: "One record's value",
        parameters: READ,
        request: None,
        answers: &[
            ("200", "the value, byte for byte as stored", Some(any)),
            ("304", "unchanged", None),
            INVALID,
            REFUSED,
            ("404", "no such record", Some(ERROR)),
            AWAY,
        ],
    },
    Operation {
        method: "head",
        path: "/v1/records/{pk}/{sk}",
        summary: "The headers of one record's value",
        parameters: READ,
        request: None,
        answers: &[
            ("200", "the record is there", None),
            ("304", "unchanged", None),
            ("404", "no such record", None),
        ],
    },
    Operation {
        method: "put",
        path: "/v1/records/{pk}/{sk}",
        summary: "Makes or replaces a record",
        parameters: &[
            IF,
            ("ttl", "query", "milliseconds to live"),
            WAIT,
            IF_MATCH,
            ABSENT,
            WRITE_ID,
        ],
        request: Some(any),
        answers: &[
            ("201", "made", Some(WRITE)),
            ("200", "replaced, or durable with wait=log", Some(WRITE)),
            INVALID,
            REFUSED,
            LARGE,
            NOT_JSON,
            AWAY,
            UNKNOWN,
        ],
    },
    Operation {
        method: "delete",
        path: "/v1/records/{pk}/{sk}",
        summary: "Removes a record, if there is one",
        parameters: &[IF, WAIT, IF_MATCH, ABSENT, WRITE_ID],
        request: None,
        answers: &[
            ("200", "there is no such record any more", Some(WRITE)),
            INVALID,
            REFUSED,
            AWAY,
            UNKNOWN,
        ],
    },
    Operation {
        method: "get",
        path: "/v1/records/{pk}",
        summary: "A page of the records of one pk, in order of sk",
        parameters: &[
            ("prefix", "query", "what every sk begins with"),
            ("after", "query", "only sk greater than this"),
            ("before", "query", "only sk less than this"),
            ("next", "query", "the token of the page before"),
            ("limit", "query", "1 to 10000, default 1000"),
            ("reverse", "query", "true: from the highest sk down"),
            MIN_OFFSETS,
            MAX_LAG,
            TIMEOUT,
        ],
        request: None,
        answers: &[("200", "the page", Some(schema!(wire::ListResponse<'static>))), INVALID, AWAY],
    },
    Operation {
        method: "get",
        path: "/v1/records",
        summary: "A page of the records of all partitions by pk and sk, whole or an error",
        parameters: &[
            ("prefix", "query", "what every pk begins with"),
            ("partitions", "query", "P,P,..: only these"),
            ("next", "query", "the token of the page before"),
            ("limit", "query", "1 to 10000, default 1000; 8 MiB end a page sooner"),
            MIN_OFFSETS,
            MAX_LAG,
            TIMEOUT,
        ],
        request: None,
        answers: &[("200", "the page", Some(schema!(wire::ListResponse<'static>))), INVALID, AWAY],
    },
    Operation {
        method: "post",
        path: "/v1/records:get",
        summary: "Many records by key, in request order",
        parameters: &[MIN_OFFSETS, MAX_LAG, TIMEOUT],
        request: Some(schema!(wire::GetRequest<'static>)),
        answers: &[
            (
                "200",
                "one element a key; pumice-unavailable names the indexes of those that no node \
                 could be asked for, pumice-missing counts those that are not there",
                Some(schema!(wire::GetResponse<'static>)),
            ),
            INVALID,
            LARGE,
            NOT_JSON,
            AWAY,
        ],
    },
    Operation {
        method: "post",
        path: "/v1/records:look",
        summary: "Between nodes: paths of records, a line each; those that are here, in bytes",
        parameters: &[],
        request: None,
        answers: &[
            ("200", "what is here of them, of 256 KiB of records at most", None),
            INVALID,
            LARGE,
        ],
    },
    Operation {
        method: "post",
        path: "/v1/batch",
        summary: "Puts and deletes of one partition, all of them or none",
        parameters: &[WAIT, WRITE_ID],
        request: Some(schema!(wire::BatchRequest<'static>)),
        answers: &[
            ("200", "made, or durable with wait=log", Some(WRITE)),
            INVALID,
            REFUSED,
            LARGE,
            NOT_JSON,
            AWAY,
            UNKNOWN,
        ],
    },
    Operation {
        method: "get",
        path: "/v1/namespace",
        summary: "What a client must know to place a key",
        parameters: &[],
        request: None,
        answers: &[("200", "the namespace", Some(schema!(wire::NamespaceBody<'static>)))],
    },
    Operation {
        method: "get",
        path: "/v1/routes",
        summary: "Where every partition is to be had; a node that is alone names no node",
        parameters: &[],
        request: None,
        answers: &[("200", "the routes", Some(schema!(wire::RoutesBody<'static>)))],
    },
    Operation {
        method: "get",
        path: "/v1/partitions/{partition}/snapshot",
        summary: "A whole partition at one offset, for a node that takes it over",
        parameters: &[],
        request: None,
        answers: &[
            ("200", "a manifest and its frames, drawn in FORMATS.md", None),
            ("404", "no such partition, or a node that is alone", Some(ERROR)),
            ("503", "not held here; code busy: come again", Some(ERROR)),
        ],
    },
    FIRE_PUT,
    fire(
        "/records/delete",
        "FireScroll: deletes, each record an entry of its own",
        CHANGE,
        OUTCOMES,
    ),
    fire("/records/batch", "Puts and deletes of one partition, all or none", CHANGE, OUTCOMES),
    fire(
        "/records/get",
        "FireScroll: records by key, in request order; missing ones are left out",
        FIRE_READ,
        RECORDS,
    ),
    fire("/records/list", "FireScroll: rows of a pk, or of a partition", FIRE_READ, RECORDS),
    probe("get", "/up", "FireScroll: whether the process answers"),
    probe("head", "/up", "FireScroll: whether the process answers"),
    probe("get", "/ready", "FireScroll: 200 text ok, or 500 text no partitions"),
    probe("head", "/ready", "FireScroll: 200 or 500"),
    Operation {
        method: "get",
        path: "/openapi.json",
        summary: "This document",
        parameters: &[],
        request: None,
        answers: &[("200", "the document", Some(object))],
    },
];

const fn probe(method: &'static str, path: &'static str, summary: &'static str) -> Operation {
    let answers = &[("200", "text ok", None), ("500", "text no partitions", None)];
    Operation { method, path, summary, parameters: &[], request: None, answers }
}

/// The whole document, OpenAPI 3.1.
pub fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(make)
}

fn make() -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    let mut generator = settings.into_generator();
    let mut paths: Map<String, Value> = Map::new();
    for operation in OPERATIONS {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        path[operation.method] = operation.describe(&mut generator);
    }
    let schemas = generator.take_definitions(true);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Pumice",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "paths": paths,
        "components": { "schemas": schemas },
    })
}

impl Operation {
    fn describe(&self, generator: &mut SchemaGenerator) -> Value {
        let in_path = self.path.split('{').skip(1).filter_map(|rest| rest.split('}').next());
        let in_path = in_path.map(|name| {
            json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } })
        });
        let others = self.parameters.iter().map(|(name, place, description)| {
            let schema = json!({ "type": "string" });
            json!({ "name": name, "in": place, "description": description, "schema": schema })
        });
        let parameters: Vec<Value> = in_path.chain(others).collect();
        let mut answers = Map::new();
        for (status, description, schema) in self.answers {
            let mut answer = json!({ "description": description });
            if let Some(schema) = schema {
                answer["content"] = content(schema(generator));
            }
            answers.insert((*status).to_owned(), answer);
        }
        let id: String = format!("{}{}", self.method, self.path)
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
            .collect();
        let mut described = json!({
            "operationId": id,
            "summary": self.summary,
            "parameters": parameters,
            "responses": answers,
        });
        if let Some(schema) = self.request {
            let body = json!({ "required": true, "content": content(schema(generator)) });
            described["requestBody"] = body;
        }
        described
    }
}

fn content(schema: Value) -> Value {
    json!({ "application/json": { "schema": schema } })
}
