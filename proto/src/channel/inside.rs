//! Which referrers are no origin of a visit: the shop itself, payment pages, sign-in pages.

use crate::campaign::host_of;
use crate::settings::SiteSettings;

/// Payment and sign-in hosts, with their subdomains, where a site names none of its own.
///
/// facebook.com is not among them: Facebook's sign-in and its links come from the same hosts, and
/// a return from sign-in within the half hour is no touch anyway.
pub const DEFAULT_EXCLUDED: [&str; 71] = [
    // Payment in Vietnam.
    "vnpay.vn",
    "vnpayment.vn",
    "momo.vn",
    "zalopay.vn",
    "zalopay.com.vn",
    "onepay.vn",
    "onepay.com.vn",
    "payoo.vn",
    "payoo.com.vn",
    "napas.com.vn",
    "payos.vn",
    "baokim.vn",
    "nganluong.vn",
    "alepay.vn",
    "9pay.vn",
    "shopeepay.vn",
    "viettelmoney.vn",
    "viettelpay.vn",
    "smartpay.com.vn",
    "vtcpay.vn",
    "moca.vn",
    "appotapay.com",
    "fundiin.vn",
    // Payment elsewhere.
    "paypal.com",
    "stripe.com",
    "adyen.com",
    "braintreegateway.com",
    "braintreepayments.com",
    "checkout.com",
    "worldpay.com",
    "authorize.net",
    "2checkout.com",
    "klarna.com",
    "afterpay.com",
    "clearpay.co.uk",
    "affirm.com",
    "sezzle.com",
    "atome.sg",
    "shop.app",
    "checkout.shopify.com",
    "pay.shopify.com",
    "pay.google.com",
    "payments.google.com",
    "pay.amazon.com",
    "payments.amazon.com",
    "alipay.com",
    "tenpay.com",
    "2c2p.com",
    "omise.co",
    "xendit.co",
    "midtrans.com",
    "razorpay.com",
    "payu.com",
    "payu.in",
    "mollie.com",
    // The bank's question in between.
    "cardinalcommerce.com",
    "arcot.com",
    "3dsecure.io",
    // Sign-in.
    "accounts.google.com",
    "accounts.youtube.com",
    "appleid.apple.com",
    "account.apple.com",
    "login.live.com",
    "login.microsoftonline.com",
    "login.yahoo.com",
    "oauth.zaloapp.com",
    "id.zalo.me",
    "access.line.me",
    "accounts.kakao.com",
    "auth0.com",
    "okta.com",
];

/// Whether a referrer's host counts as inside: the site's own hosts and the page's, with their
/// subdomains, and the excluded ones. A link from inside never says where a visit came from.
#[must_use]
pub fn is_inside(host: &str, page_host: Option<&str>, settings: &SiteSettings) -> bool {
    // Without a host there is no referrer.
    let Some(host) = bare(host) else {
        return true;
    };
    let under = |written: &str| bare(written).is_some_and(|parent| is_under(&host, &parent));
    let page = page_host.map(|page| page.strip_prefix("www.").unwrap_or(page));
    let own = || settings.own_hosts.iter().any(|own| under(own));
    let excluded = || match settings.excluded_referrers.as_slice() {
        [] => DEFAULT_EXCLUDED.iter().any(|listed| is_under(&host, listed)),
        listed => listed.iter().any(|listed| under(listed)),
    };
    page.is_some_and(under) || own() || excluded()
}

fn is_under(host: &str, parent: &str) -> bool {
    let below = host.strip_suffix(parent);
    below.is_some_and(|front| front.is_empty() || front.ends_with('.'))
}

/// A host as people write it in settings: `https://pay.vn/`, `*.pay.vn`, `Pay.vn:443`.
fn bare(written: &str) -> Option<String> {
    let written = written.trim();
    let host = match written.contains("://") {
        true => host_of(written),
        false => host_of(&format!("https://{written}")),
    }?;
    let host = host.trim_start_matches("*.").trim_matches('.');
    (!host.is_empty()).then(|| host.to_owned())
}
