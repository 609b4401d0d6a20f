//! The names of the routes as metrics show them: a fixed set, so that no request can make a series.
//! Any thread; holds no path and no handler, those are the front's.

/// One route of the public port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Route {
    /// `GET /up` and `GET /ready`.
    Probe,
    /// `POST /records/put`.
    FirePut,
    /// `POST /records/delete`.
    FireDelete,
    /// `POST /records/get`.
    FireGet,
    /// `POST /records/list`.
    FireList,
    /// `POST /records/batch`.
    FireBatch,
    /// `GET` and `HEAD` of one record.
    Get,
    /// `PUT` of one record.
    Put,
    /// `DELETE` of one record.
    Delete,
    /// `GET /v1/records/{pk}` and `GET /v1/records`.
    List,
    /// `POST /v1/records:get`.
    GetMany,
    /// `POST /v1/records:look`.
    Look,
    /// `POST /v1/batch`.
    Batch,
    /// `GET /v1/partitions/{partition}/snapshot`.
    Handover,
    /// `GET /openapi.json` and `GET /v1/namespace`.
    About,
    /// No route of ours.
    Other,
}

impl Route {
    /// Every route, in the order of their numbers.
    pub const ALL: [Self; 16] = [
        Self::Probe,
        Self::FirePut,
        Self::FireDelete,
        Self::FireGet,
        Self::FireList,
        Self::FireBatch,
        Self::Get,
        Self::Put,
        Self::Delete,
        Self::List,
        Self::GetMany,
        Self::Look,
        Self::Batch,
        Self::Handover,
        Self::About,
        Self::Other,
    ];

    /// The label in `/metrics` and the access log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Probe => "probe",
            Self::FirePut => "records_put",
            Self::FireDelete => "records_delete",
            Self::FireGet => "records_get",
            Self::FireList => "records_list",
            Self::FireBatch => "records_batch",
            Self::Get => "v1_get",
            Self::Put => "v1_put",
            Self::Delete => "v1_delete",
            Self::List => "v1_list",
            Self::GetMany => "v1_get_many",
            Self::Look => "v1_look",
            Self::Batch => "v1_batch",
            Self::Handover => "v1_handover",
            Self::About => "about",
            Self::Other => "other",
        }
    }
}

/// Statuses that are counted one by one; any other counts as its class.
pub const STATUSES: [&str; 17] = [
    "200", "201", "204", "304", "400", "404", "405", "412", "413", "415", "429", "500", "503",
    "504", "2xx", "4xx", "5xx",
];

/// The index in [`STATUSES`] of a status code.
pub fn status_index(status: u16) -> usize {
    const CLASSES: usize = STATUSES.len() - 3;
    const NAMED: [u16; CLASSES] =
        [200, 201, 204, 304, 400, 404, 405, 412, 413, 415, 429, 500, 503, 504];
    let named = NAMED.iter().position(|named| *named == status);
    named.unwrap_or(match status {
        ..400 => CLASSES,
        400..500 => CLASSES + 1,
        _ => CLASSES + 2,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_stands_at_its_number() {
        for (at, route) in Route::ALL.iter().enumerate() {
            assert_eq!(*route as usize, at);
        }
        for (at, name) in STATUSES.iter().enumerate().take(14) {
            assert_eq!(name.parse().map(status_index), Ok(at));
        }
    }
}
