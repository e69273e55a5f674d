//! Who owns an event of a client: the facts around it decide.
//!
//! Facts are logins and logouts on one client. They cut its timeline into stretches with one owner
//! each, and an owner depends on the two facts next to it only, so a late fact changes nothing
//! outside the stretch it falls in.

use edgetally_proto::time::{DAY_MS, MINUTE_MS};

use crate::texts::TextId;
use crate::touches::Clue;

/// A login reaches back this far, both ends in.
pub const STITCH_MS: i64 = 7 * DAY_MS;
/// After a logout of somebody else, a login takes over only what hangs together with it by pauses
/// up to this long.
pub const CHAIN_MS: i64 = 30 * MINUTE_MS;

/// What an event is to the identity of its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Says that the user is signed in here.
    Login(TextId),
    /// Ends a login; no fact while nobody is logged in.
    Logout,
    /// Carries a user without being a fact.
    Carries(TextId),
    /// Says nothing about users.
    Plain,
}

/// One event on the timeline of its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Number of its record.
    pub record: u32,
    /// Event time.
    pub occurred_at_ms: i64,
    /// Its rank among events of the same millisecond.
    pub rank: u8,
    /// What it says about users.
    pub role: Role,
    /// Whether somebody was present.
    pub is_activity: bool,
    /// What it says of where it came from.
    pub clue: Clue,
}

/// Who owns an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Owner {
    /// A user.
    User(TextId),
    /// The client itself, before any login.
    Client,
    /// The anonymous person of the client after the logout with this record.
    AfterLogout(u32),
}

/// The last fact before an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// None.
    Nothing,
    /// A login of this user.
    Login(TextId),
    /// A logout.
    Logout {
        /// Who logged out.
        of: TextId,
        /// Record of the logout.
        record: u32,
    },
}

impl Before {
    /// What is before the event after `step`.
    #[must_use]
    pub fn then(self, step: &Step) -> Self {
        match (step.role, self) {
            (Role::Login(user), _) => Self::Login(user),
            (Role::Logout, Self::Login(of)) => Self::Logout { of, record: step.record },
            _ => self,
        }
    }
}

/// The first login after an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Next {
    /// Who logs in.
    pub user: TextId,
    /// When.
    pub at_ms: i64,
    /// Whether every pause from the event to the login is at most [`CHAIN_MS`].
    pub is_unbroken: bool,
}

/// The table: the owner of one event from the facts around it.
///
/// A logout after it does not matter: after a login the user owns it in any case, and while nobody
/// is logged in a logout is no fact.
#[must_use]
pub fn owner(step: &Step, before: Before, next: Option<Next>) -> Owner {
    if let Role::Login(user) | Role::Carries(user) = step.role {
        return Owner::User(user);
    }
    let next = next.filter(|next| next.at_ms - step.occurred_at_ms <= STITCH_MS);
    match (before, next) {
        (Before::Login(user), _) => Owner::User(user),
        (Before::Nothing, Some(next)) => Owner::User(next.user),
        (Before::Nothing, None) => Owner::Client,
        (Before::Logout { of, .. }, Some(next)) if next.user == of || next.is_unbroken => {
            Owner::User(next.user)
        }
        (Before::Logout { record, .. }, _) => Owner::AfterLogout(record),
    }
}

/// The owners of consecutive events of one client.
///
/// The first must be the client's first event or a login, the last its last event or a login.
#[must_use]
pub fn owners(steps: &[Step]) -> Vec<Owner> {
    let mut befores = Vec::with_capacity(steps.len());
    let mut before = Before::Nothing;
    for step in steps {
        befores.push(before);
        before = before.then(step);
    }
    let mut owners = Vec::with_capacity(steps.len());
    let mut chain: Option<Chain> = None;
    for (step, before) in steps.iter().zip(befores).rev() {
        let next = chain.as_ref().map(|chain| chain.seen_from(step));
        owners.push(owner(step, before, next));
        match (step.role, next) {
            (Role::Login(user), _) => chain = Some(Chain::at(user, step.occurred_at_ms)),
            (_, Some(next)) if step.is_activity => {
                chain = Some(Chain { next, head_ms: step.occurred_at_ms });
            }
            _ => {}
        }
    }
    owners.reverse();
    owners
}

/// What leads up to the next login, walked backwards.
struct Chain {
    next: Next,
    /// The earliest activity met so far.
    head_ms: i64,
}

impl Chain {
    fn at(user: TextId, at_ms: i64) -> Self {
        Self { next: Next { user, at_ms, is_unbroken: true }, head_ms: at_ms }
    }

    fn seen_from(&self, step: &Step) -> Next {
        let is_near = self.head_ms - step.occurred_at_ms <= CHAIN_MS;
        Next { is_unbroken: self.next.is_unbroken && is_near, ..self.next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: TextId = 1;
    const B: TextId = 2;
    const LIN_A: Role = Role::Login(A);
    const LIN_B: Role = Role::Login(B);

    /// Steps given as (minute, role), checked against their owners.
    fn check(events: &[(i64, Role)], expected: &[Owner]) {
        let steps: Vec<Step> = (0u32..)
            .zip(events)
            .map(|(record, (minute, role))| Step {
                record,
                occurred_at_ms: minute * MINUTE_MS,
                rank: 2,
                role: *role,
                is_activity: true,
                clue: Clue::default(),
            })
            .collect();
        assert_eq!(owners(&steps), expected, "{events:?}");
    }

    #[test]
    fn after_a_login_events_are_the_users_until_the_next_fact() {
        let (u, v) = (Owner::User(A), Owner::User(B));
        check(&[(0, LIN_A), (5, Role::Plain), (90_000, Role::Plain)], &[u, u, u]);
        check(&[(0, LIN_A), (5, Role::Plain), (10, LIN_B), (12, Role::Plain)], &[u, u, v, v]);
        check(&[(0, Role::Carries(B)), (1, LIN_A), (2, Role::Carries(B))], &[v, u, v]);
    }

    #[test]
    fn a_login_reaches_back_seven_days_to_the_first_event() {
        let week = 7 * 24 * 60;
        check(&[(0, Role::Plain), (week, LIN_A)], &[Owner::User(A); 2]);
        check(&[(-1, Role::Plain), (week, LIN_A)], &[Owner::Client, Owner::User(A)]);
        check(&[(0, Role::Plain)], &[Owner::Client]);
    }

    #[test]
    fn after_a_logout_a_new_anonymous_person_begins() {
        let (u, after) = (Owner::User(A), Owner::AfterLogout(1));
        check(&[(0, LIN_A), (1, Role::Logout), (2, Role::Plain)], &[u, u, after]);
        // The same user again within seven days owns the gap, however long the pauses.
        check(&[(0, LIN_A), (1, Role::Logout), (2, Role::Plain), (900, LIN_A)], &[u; 4]);
        let late = 2 + 7 * 24 * 60;
        check(
            &[(0, LIN_A), (1, Role::Logout), (2, Role::Plain), (late + 1, LIN_A)],
            &[u, u, after, u],
        );
    }

    #[test]
    fn another_user_takes_over_only_the_unbroken_chain() {
        let (u, v, after) = (Owner::User(A), Owner::User(B), Owner::AfterLogout(1));
        let start = [(0, LIN_A), (1, Role::Logout)];
        let check_rest = |rest: &[(i64, Role)], owners: &[Owner]| {
            check(&[&start, rest].concat(), &[&[u, u], owners].concat());
        };
        check_rest(&[(10, Role::Plain), (40, Role::Plain), (70, LIN_B)], &[v, v, v]);
        check_rest(&[(10, Role::Plain), (41, Role::Plain), (70, LIN_B)], &[after, v, v]);
        check_rest(&[(10, Role::Plain), (40, Role::Plain), (71, LIN_B)], &[after, after, v]);
    }

    #[test]
    fn a_logout_while_nobody_is_logged_in_is_no_fact() {
        let (u, after) = (Owner::User(A), Owner::AfterLogout(1));
        check(&[(0, Role::Logout), (1, Role::Plain), (2, LIN_A)], &[u; 3]);
        check(
            &[(0, LIN_A), (1, Role::Logout), (2, Role::Logout), (3, Role::Plain)],
            &[u, u, after, after],
        );
    }
}
