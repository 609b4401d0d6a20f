//! Every example of RFC 7541, appendix C: what is decoded, and what the table holds afterwards.

use super::super::integer;
use super::{Decoder, bytes, lines, table};

struct Step {
    block: &'static str,
    fields: &'static [&'static str],
    table: &'static [&'static str],
    size: usize,
}

fn run(table_size: usize, steps: &[Step]) {
    let mut decoder = Decoder::new(table_size, &[]);
    for step in steps {
        assert_eq!(lines(&mut decoder, &bytes(step.block)), step.fields, "{}", step.block);
        let (entries, size) = table(&decoder);
        assert_eq!(entries, step.table, "after {}", step.block);
        assert_eq!(size, step.size, "after {}", step.block);
    }
}

#[test]
fn c_1_integers() {
    for (value, prefix, octets) in [
        (10, 5, &[0b01010][..]),
        (1_337, 5, &[0b11111, 0b1001_1010, 0b1010]),
        (42, 7, &[0b10_1010]),
    ] {
        let mut out = Vec::new();
        integer::encode(&mut out, 0, prefix, value);
        assert_eq!(out, octets, "{value}");
        let (decoded, rest) = integer::decode(octets[0], prefix, &octets[1..]).unwrap();
        assert_eq!((decoded, rest.len()), (value, 0));
    }
}

#[test]
fn c_2_1_a_literal_with_indexing() {
    run(
        4_096,
        &[Step {
            block: "400a637573746f6d2d6b65790d637573746f6d2d686561646572",
            fields: &["custom-key: custom-header"],
            table: &["custom-key: custom-header"],
            size: 55,
        }],
    );
}

#[test]
fn c_2_2_a_literal_without_indexing() {
    run(
        4_096,
        &[Step {
            block: "040c2f73616d706c652f70617468",
            fields: &[":path: /sample/path"],
            table: &[],
            size: 0,
        }],
    );
}

#[test]
fn c_2_3_a_literal_never_indexed() {
    run(
        4_096,
        &[Step {
            block: "100870617373776f726406736563726574",
            fields: &["password: secret"],
            table: &[],
            size: 0,
        }],
    );
}

#[test]
fn c_2_4_an_indexed_field() {
    run(4_096, &[Step { block: "82", fields: &[":method: GET"], table: &[], size: 0 }]);
}

fn requests(blocks: [&'static str; 3]) {
    run(
        4_096,
        &[
            Step {
                block: blocks[0],
                fields: &[
                    ":method: GET",
                    ":scheme: http",
                    ":path: /",
                    ":authority: www.example.com",
                ],
                table: &[":authority: www.example.com"],
                size: 57,
            },
            Step {
                block: blocks[1],
                fields: &[
                    ":method: GET",
                    ":scheme: http",
                    ":path: /",
                    ":authority: www.example.com",
                    "cache-control: no-cache",
                ],
                table: &["cache-control: no-cache", ":authority: www.example.com"],
                size: 110,
            },
            Step {
                block: blocks[2],
                fields: &[
                    ":method: GET",
                    ":scheme: https",
                    ":path: /index.html",
                    ":authority: www.example.com",
                    "custom-key: custom-value",
                ],
                table: &[
                    "custom-key: custom-value",
                    "cache-control: no-cache",
                    ":authority: www.example.com",
                ],
                size: 164,
            },
        ],
    );
}

#[test]
fn c_3_requests_without_huffman() {
    requests([
        "828684410f7777772e6578616d706c652e636f6d",
        "828684be58086e6f2d6361636865",
        "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
    ]);
}

#[test]
fn c_4_requests_with_huffman() {
    requests([
        "828684418cf1e3c2e5f23a6ba0ab90f4ff",
        "828684be5886a8eb10649cbf",
        "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
    ]);
}

const LOCATION: &str = "location: https://www.example.com";
const COOKIE: &str = "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1";

/// With a table of 256 bytes, so that entries are evicted.
fn responses(blocks: [&'static str; 3]) {
    run(
        256,
        &[
            Step {
                block: blocks[0],
                fields: &[
                    ":status: 302",
                    "cache-control: private",
                    "date: Mon, 21 Oct 2013 20:13:21 GMT",
                    LOCATION,
                ],
                table: &[
                    LOCATION,
                    "date: Mon, 21 Oct 2013 20:13:21 GMT",
                    "cache-control: private",
                    ":status: 302",
                ],
                size: 222,
            },
            Step {
                block: blocks[1],
                fields: &[
                    ":status: 307",
                    "cache-control: private",
                    "date: Mon, 21 Oct 2013 20:13:21 GMT",
                    LOCATION,
                ],
                table: &[
                    ":status: 307",
                    LOCATION,
                    "date: Mon, 21 Oct 2013 20:13:21 GMT",
                    "cache-control: private",
                ],
                size: 222,
            },
            Step {
                block: blocks[2],
                fields: &[
                    ":status: 200",
                    "cache-control: private",
                    "date: Mon, 21 Oct 2013 20:13:22 GMT",
                    LOCATION,
                    "content-encoding: gzip",
                    COOKIE,
                ],
                table: &[COOKIE, "content-encoding: gzip", "date: Mon, 21 Oct 2013 20:13:22 GMT"],
                size: 215,
            },
        ],
    );
}

#[test]
fn c_5_responses_without_huffman() {
    responses([
        "4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d54\
         6e1768747470733a2f2f7777772e6578616d706c652e636f6d",
        "4803333037c1c0bf",
        "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f\
         3d4153444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076\
         657273696f6e3d31",
    ]);
}

#[test]
fn c_6_responses_with_huffman() {
    responses([
        "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f\
         0b97c8e9ae82ae43d3",
        "4883640effc1c0bf",
        "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335df\
         dfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
    ]);
}
