//! Which calls are asked for, as SQL.

use std::time::Duration;

use bedplate_core::call::CallId;
use bedplate_core::clock::Timestamp;
use bedplate_core::ports::CallFilter;
use bedplate_core::record::Ending;
use sqlx::{Database, Encode, QueryBuilder, Type};
use uuid::Uuid;

use crate::day::Day;
use crate::rows::bounded;

/// How far a call's admission may lie before the time in its id. They come from one clock; this
/// allows for it to be set back in between.
const SKEW: Duration = Duration::from_secs(60);

/// When the call of this id can have been admitted.
pub(crate) fn around(id: CallId) -> (Timestamp, Timestamp) {
    (id.began().minus(SKEW), id.began().plus(SKEW))
}

/// The first moment that can match.
pub(crate) fn from(filter: &CallFilter) -> Option<Timestamp> {
    let after = filter.after.map(|id| id.began().minus(SKEW));
    filter.since.max(after)
}

/// Whether calls of this day can match.
pub(crate) fn covers(filter: &CallFilter, day: Day) -> bool {
    from(filter).is_none_or(|at| day.end() > at) && filter.until.is_none_or(|at| day.start() < at)
}

/// Appends ` AND …` for all that the filter names, and the order: newest first.
pub(crate) fn push<DB: Database>(q: &mut QueryBuilder<DB>, filter: &CallFilter, limit: i64)
where
    for<'q> i64: Encode<'q, DB> + Type<DB>,
    for<'q> String: Encode<'q, DB> + Type<DB>,
    for<'q> Uuid: Encode<'q, DB> + Type<DB>,
{
    if let Some(at) = from(filter) {
        q.push(" AND admitted_at >= ").push_bind(at.0);
    }
    if let Some(at) = filter.until {
        q.push(" AND admitted_at < ").push_bind(at.0);
    }
    if let Some(id) = filter.after {
        q.push(" AND id > ").push_bind(id.0);
    }
    let texts = [
        (" AND team = ", filter.team.as_deref()),
        (" AND feature = ", filter.feature.as_deref()),
        (" AND key_id = ", filter.key.as_ref().map(|k| &*k.0)),
        (" AND chain = ", filter.chain.as_deref()),
    ];
    for (column, text) in texts.into_iter().filter_map(|(c, t)| Some((c, t?))) {
        q.push(column).push_bind(bounded(text).into_owned());
    }
    if let Some(code) = filter.code {
        q.push(" AND code = ").push_bind(i64::from(code.number()));
    }
    if let Some(ending) = filter.ending {
        // the index of endings leaves out the common one, and is only used when that is said
        q.push(if ending == Ending::Answered { "" } else { " AND ending <> 'answered'" });
        q.push(" AND ending = ").push_bind(ending.name().to_owned());
    }
    q.push(" ORDER BY admitted_at DESC, id DESC LIMIT ").push_bind(limit);
}
