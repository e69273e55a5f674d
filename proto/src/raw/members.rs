//! The members that the contract names, found in one pass over an object.

use crate::json::Json;

/// Defines the members of an object that are read; whatever else it has is passed over.
macro_rules! of_object {
    ($(#[$doc:meta])* $name:ident { $($field:ident,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default)]
        pub struct $name<'t> {
            $(
                #[doc = concat!("`", stringify!($field), "`, whatever was sent as such.")]
                pub $field: Option<Json<'t>>,
            )*
        }

        impl<'t> $name<'t> {
            /// The members of an object; none of what is no object.
            #[must_use]
            pub fn of(object: Json<'t>) -> Self {
                let mut members = Self::default();
                members.read(object);
                members
            }

            /// Reads the members of another object over these.
            pub fn read(&mut self, object: Json<'t>) {
                for (name, value) in object.members().into_iter().flatten() {
                    match name {
                        $(stringify!($field) => self.$field = Some(value),)*
                        _ => {}
                    }
                }
            }
        }
    };
}

pub(super) use of_object;

of_object! {
    /// Members of an event.
    EventMembers { id, name, ts, client_id, user_id, platform, context, params, }
}

of_object! {
    /// Members of `context`.
    ContextMembers {
        page_url, referrer, campaign, language, ip, user_agent, country, region, city,
    }
}

of_object! {
    /// Members of `context.campaign`.
    CampaignMembers { source, medium, name, term, content, id, }
}

of_object! {
    /// Members of `params`.
    ParamMembers {
        items, value, currency, transaction_id, quantity, discount, tax, shipping, shipping_city,
        search_term, order_platform, refund_id, method, reason, latency_ms, item_id, stock,
        experiment_id, variant_id, metric, user_id, background, page_location,
    }
}

of_object! {
    /// Members of an item.
    ItemMembers { item_id, item_name, item_category, item_brand, item_variant, price, quantity, }
}
