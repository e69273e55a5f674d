//! Channels: every rule of the table, its edges, referrers, and the tables under them.

use edgetally_proto::campaign::Campaign;
use edgetally_proto::channel::{
    Arrival, ClickId, DEFAULT_EXCLUDED, Group, channel, check_rules, default_channels, is_inside,
    source_of_host, source_of_tag, untagged,
};
use edgetally_proto::settings::{ChannelRule, SiteSettings};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[cfg(not(target_arch = "wasm32"))]
mod laws;
#[cfg(not(target_arch = "wasm32"))]
mod tables;

fn tagged(source: &str, medium: &str, name: &str) -> Campaign {
    Campaign {
        source: source.to_owned(),
        medium: medium.to_owned(),
        name: name.to_owned(),
        ..Campaign::default()
    }
}

/// `source/medium/name` against a channel's name.
fn check(tags: [&str; 3], expected: &str) {
    let campaign = tagged(tags[0], tags[1], tags[2]);
    let arrival = Arrival { campaign: Some(&campaign), click_id: None };
    assert_eq!(channel(&arrival, &[]).name, expected, "{tags:?}");
}

#[test]
fn each_rule_gives_its_channel_and_group() {
    use Group::{Affiliate, Direct, Other, Owned, Paid, Referral, Search, Social};
    let rows: [(u8, [&str; 3], &str, Group); 20] = [
        (1, ["(direct)", "(none)", ""], "Direct", Direct),
        (3, ["some-source", "some-medium", "some-cross-network-campaign"], "Cross-network", Paid),
        (4, ["shopee", "cpc", ""], "Paid Shopping", Paid),
        (5, ["google", "cpc", "tet"], "Paid Search", Paid),
        (6, ["facebook", "retargeting", ""], "Paid Social", Paid),
        (7, ["youtube.com", "paid-something", ""], "Paid Video", Paid),
        (8, ["vnexpress", "banner", ""], "Display", Paid),
        (9, ["vnexpress", "cpc", ""], "Paid Other", Paid),
        (10, ["tiki", "", ""], "Organic Shopping", Referral),
        (11, ["zalo", "oa", ""], "Organic Social", Social),
        (12, ["vimeo", "", ""], "Organic Video", Social),
        (13, ["chatgpt.com", "", ""], "AI Assistants", Referral),
        (14, ["bing", "", ""], "Organic Search", Search),
        (15, ["accesstrade", "affiliate", "tet"], "Affiliates", Affiliate),
        (16, ["newsletter-vn", "", ""], "Email", Owned),
        (17, ["spotify", "audio", ""], "Audio", Paid),
        (18, ["sms", "", ""], "SMS", Owned),
        (19, ["push", "app_push", "flash"], "Mobile Push Notifications", Owned),
        (20, ["partner.example", "", ""], "Referral", Referral),
        (21, ["some-source", "some-medium", "some-campaign"], "Unassigned", Other),
    ];
    for (rule, [source, medium, name], expected, group) in rows {
        let campaign = tagged(source, medium, name);
        let given = channel(&Arrival { campaign: Some(&campaign), click_id: None }, &[]);
        assert_eq!((given.rule, given.name, given.group), (rule, expected, group), "{campaign:?}");
    }
}

#[test]
fn direct_is_what_nothing_brought() {
    assert_eq!(channel(&Arrival::default(), &[]).name, "Direct");
    for medium in ["", "(none)", "(not set)"] {
        check(["direct", medium, ""], "Direct");
        check(["(direct)", medium, ""], "Direct");
        check(["", medium, ""], "Direct");
    }
    check(["direct", "cpc", ""], "Paid Other");
    check(["", "", "tet"], "Unassigned");
    check(["", "", "shop"], "Organic Shopping");
    check(["(not set)", "(not set)", ""], "Unassigned");
}

#[test]
fn paid_media() {
    for medium in ["cpc", "cpm-x", "xcpx", "ppc", "retargeting", "paid", "paid-social", "paidx"] {
        check(["google", medium, ""], "Paid Search");
    }
    for medium in ["ppc-x", "xppc", "retargeting2", "unpaid", "pc"] {
        check(["google", medium, ""], "Organic Search");
    }
    for medium in ["display", "banner", "expandable", "interstitial", "cpm"] {
        check(["vnexpress", medium, ""], "Display");
    }
    // Display comes after search, social and video, and before what is merely paid.
    check(["google", "display", ""], "Display");
    check(["google", "cpm", ""], "Paid Search");
    check(["", "cpc", ""], "Paid Other");
}

#[test]
fn shops_by_the_name_of_the_campaign() {
    for name in
        ["shop", "shop2026", "eshop-tet", "my shop", "tết-shop", "1shop", "ếshop", "xshopping"]
    {
        check(["partner", "", name], "Organic Shopping");
        check(["partner", "cpc", name], "Paid Shopping");
    }
    for name in ["workshop", "photoshop", "sho", "ship"] {
        check(["partner", "", name], "Referral");
    }
    // A second place counts where the first does not.
    check(["partner", "", "workshop-shop"], "Organic Shopping");
    check(["google", "cpc", "shopping"], "Paid Shopping");
    check(["google", "cpc", "cross-network shopping"], "Cross-network");
}

#[test]
fn ads_sources() {
    for source in ["fb-ads", "fbad", "facebook_ads", "Reddit-Ads", "zalo ads", "tiktokads", "igads"]
    {
        check([source, "", ""], "Paid Social");
    }
    for source in ["adwords", "google_ads", "googleads", "gads", "bing ads", "coccoc-ads"] {
        check([source, "", ""], "Paid Search");
    }
    check(["yt-ads", "", ""], "Paid Video");
    check(["facebook_feed_ad", "", ""], "Paid Social");
    // Ends in "ads" but is a name; and ends in "ads" but resolves to nothing.
    check(["threads", "", ""], "Organic Social");
    check(["threads-ads", "", ""], "Paid Social");
    for source in ["downloads", "ads", "ad", "unknown-ads"] {
        check([source, "", ""], "Referral");
    }
    // An advertisement on a marketplace is paid only if the medium says so: rule 4 asks for it.
    check(["shopee-ads", "", ""], "Organic Shopping");
}

#[test]
fn click_ids_beside_tags() {
    let given = |source: &str, medium: &str, id: &str| {
        let campaign = tagged(source, medium, "");
        let click_id = ClickId::of_parameter(id);
        channel(&Arrival { campaign: Some(&campaign), click_id }, &[]).name.to_owned()
    };
    assert_eq!(given("google", "", "gclid"), "Paid Search");
    assert_eq!(given("google.com.vn", "organic", "gclid"), "Paid Search");
    assert_eq!(given("bing", "", "msclkid"), "Paid Search");
    assert_eq!(given("duckduckgo", "", "gclid"), "Organic Search");
    assert_eq!(given("duckduckgo", "", "msclkid"), "Organic Search");
    assert_eq!(given("google", "", "msclkid"), "Organic Search");
    assert_eq!(given("google", "display", "srsltid"), "Display");
    assert_eq!(given("facebook", "", "fbclid"), "Organic Social");
    assert_eq!(given("tiktok", "paid", "ttclid"), "Paid Social");
}

#[test]
fn media_that_name_their_channel() {
    for medium in
        ["social", "social-network", "social-media", "sm", "social network", "social media"]
    {
        check(["partner", medium, ""], "Organic Social");
    }
    check(["partner", "social-x", ""], "Unassigned");
    check(["partner", "a-video-b", ""], "Organic Video");
    check(["partner", "organic", ""], "Organic Search");
    check(["partner", "affiliates", ""], "Affiliates");
    for word in ["email", "e-mail", "e_mail", "e mail", "newsletter"] {
        check([&format!("x{word}x"), "y", ""], "Email");
        check(["y", &format!("x{word}x"), ""], "Email");
        check(["", word, ""], "Email");
    }
    check(["gmail", "", ""], "Email");
    check(["partner", "sms", ""], "SMS");
    check(["sms-x", "", ""], "Referral");
    for medium in ["push", "app-push", "example-mobile", "mobile-x", "notifications"] {
        check(["partner", medium, ""], "Mobile Push Notifications");
    }
    check(["firebase", "x", ""], "Mobile Push Notifications");
    check(["partner", "pushed", ""], "Unassigned");
    for medium in ["referral", "app", "link"] {
        check(["partner", medium, ""], "Referral");
        check(["", medium, ""], "Referral");
    }
}

#[test]
fn the_order_of_the_rules_decides() {
    check(["shopee", "social", ""], "Organic Shopping");
    check(["facebook", "video", ""], "Organic Social");
    check(["youtube", "social", ""], "Organic Social");
    check(["chatgpt", "organic", ""], "AI Assistants");
    check(["google", "email", ""], "Organic Search");
    check(["email", "affiliate", ""], "Affiliates");
    check(["accesstrade", "cpc", ""], "Paid Other");
}

#[test]
fn names_of_sources() {
    for (tag, name) in [
        ("FB", "facebook"),
        ("m.facebook.com", "facebook"),
        ("ig", "instagram"),
        ("Yahoo!", "yahoo!"),
        ("yahoo", "yahoo!"),
        ("hacker-news", "hacker news"),
        ("x", "twitter"),
        ("X (Twitter)", "twitter"),
        ("Google+", "google+"),
        ("google", "google"),
        ("Google Gemini", "gemini"),
        ("Microsoft Copilot", "copilot"),
        ("coccoc", "cốc cốc"),
        ("tiktok shop", "tiktok shop"),
        ("vk", "vkontakte"),
    ] {
        assert_eq!(source_of_tag(tag).map(|tag| tag.source.name), Some(name), "{tag}");
    }
    // Ordinary words, though engines are called so; and texts that hold nothing to compare.
    for tag in ["inbox", "free", "atlas", "wikipedia", "linktree", "", "-", "."] {
        assert_eq!(source_of_tag(tag), None, "{tag}");
    }
}

#[test]
fn sites_have_rules_of_their_own() {
    let rule = |source: &str, medium: &str, channel: &str| ChannelRule {
        source: source.to_owned(),
        medium: medium.to_owned(),
        channel: channel.to_owned(),
        ..ChannelRule::default()
    };
    let rules = [
        rule("ghost", "", " "),
        rule("AccessTrade ", "", "Affiliates"),
        rule("facebook", "Live", "Live streams"),
        rule("partner.vn", "", "partners"),
        rule("", "kol", "affiliates"),
    ];
    let given = |source: &str, medium: &str| {
        let campaign = tagged(source, medium, "");
        let given = channel(&Arrival { campaign: Some(&campaign), click_id: None }, &rules);
        (given.name.to_owned(), given.group, given.rule)
    };
    assert_eq!(given("accesstrade", "cpc"), ("Affiliates".to_owned(), Group::Affiliate, 2));
    assert_eq!(given("facebook", "live"), ("Live streams".to_owned(), Group::Other, 2));
    assert_eq!(given("facebook", "cpc"), ("Paid Social".to_owned(), Group::Paid, 6));
    assert_eq!(given("www.partner.vn", "referral"), ("partners".to_owned(), Group::Other, 2));
    assert_eq!(given("anybody", "kol"), ("affiliates".to_owned(), Group::Affiliate, 2));
    assert_eq!(given("ghost", ""), ("Referral".to_owned(), Group::Referral, 20));
    assert_eq!(given("direct", "").0, "Direct");
    let everything = [rule("", "", "Everything")];
    assert_eq!(channel(&Arrival::default(), &everything).name, "Direct");

    assert_eq!(check_rules(&rules[1..]), Ok(()));
    let error = check_rules(&rules).unwrap_err();
    assert_eq!(error.field, "channel_rules[0].channel");
    assert!(error.to_string().starts_with("channel_rules[0].channel: "));
}

#[test]
fn hosts_of_search_engines() {
    for (host, name) in [
        ("google.com", "google"),
        ("www.google.com", "google"),
        ("WWW.Google.com.", "google"),
        ("www.google.com.vn", "google"),
        ("google.co.uk", "google"),
        ("google.de", "google"),
        ("images.google.de", "google images"),
        ("com.google.android.googlequicksearchbox", "google"),
        ("vn.bing.com", "bing"),
        ("m.bing.com", "bing"),
        ("vn.search.yahoo.com", "yahoo!"),
        ("us.yhs4.search.yahoo.com", "yahoo!"),
        ("de.images.search.yahoo.com", "yahoo! images"),
        ("images.de.ask.com", "ask"),
        ("www.123people.de", "123people"),
        ("yandex.com.tr", "yandex"),
        ("coccoc.com", "cốc cốc"),
        ("search.brave.com", "brave"),
        ("duckduckgo.com", "duckduckgo"),
    ] {
        let campaign = untagged(host);
        assert_eq!([&*campaign.source, &*campaign.medium], [name, "organic"], "{host}");
    }
    for host in ["docs.google.com", "notgoogle.com", "google.com.example", "sub.duckduckgo.com"] {
        assert_eq!(source_of_host(host), None, "{host}");
    }
}

#[test]
fn hosts_of_other_sources_take_their_subdomains() {
    for (host, source, medium, channel_name) in [
        ("m.facebook.com", "facebook", "social", "Organic Social"),
        ("t.co", "twitter", "social", "Organic Social"),
        ("shop.tumblr.com", "tumblr", "social", "Organic Social"),
        ("chat.zalo.me", "zalo", "social", "Organic Social"),
        ("com.facebook.katana", "facebook", "social", "Organic Social"),
        ("facebook.com", "facebook", "social", "Organic Social"),
        ("music.youtube.com", "youtube", "referral", "Organic Video"),
        ("www.tiktok.com", "tiktok", "social", "Organic Social"),
        ("shop.tiktok.com", "tiktok shop", "referral", "Organic Shopping"),
        ("shopee.vn", "shopee", "referral", "Organic Shopping"),
        ("www.lazada.co.id", "lazada", "referral", "Organic Shopping"),
        ("amazon.com.au", "amazon", "referral", "Organic Shopping"),
        ("mail.google.com", "gmail", "referral", "Email"),
        ("com.google.android.gm", "gmail", "referral", "Email"),
        ("chatgpt.com", "chatgpt", "referral", "AI Assistants"),
        ("custom.chatgpt.com", "chatgpt", "referral", "AI Assistants"),
        ("gemini.google.com", "gemini", "referral", "AI Assistants"),
        ("you.com", "you", "referral", "AI Assistants"),
        ("blog.example.vn", "blog.example.vn", "referral", "Referral"),
        ("chatgpt.com.example.org", "chatgpt.com.example.org", "referral", "Referral"),
        ("xxt.co", "xxt.co", "referral", "Referral"),
        ("127.0.0.1", "127.0.0.1", "referral", "Referral"),
        ("[::1]", "[::1]", "referral", "Referral"),
    ] {
        let campaign = untagged(host);
        assert_eq!([&*campaign.source, &*campaign.medium], [source, medium], "{host}");
        check([source, medium, ""], channel_name);
    }
}

#[test]
fn inside_are_the_shop_and_what_is_excluded() {
    let mut settings =
        SiteSettings { own_hosts: vec!["shop.vn".to_owned()], ..SiteSettings::default() };
    let page = Some("www.other-shop.vn");
    for host in ["shop.vn", "pay.shop.vn", "SHOP.vn.", "www.other-shop.vn", "other-shop.vn"] {
        assert!(is_inside(host, page, &settings), "{host}");
    }
    for host in DEFAULT_EXCLUDED.into_iter().chain(["sandbox.vnpayment.vn", "checkout.stripe.com"])
    {
        assert!(is_inside(host, page, &settings), "{host}");
    }
    for host in ["myshop.vn", "shop.vn.example", "google.com", "www.facebook.com", "vnpay.com"] {
        assert!(!is_inside(host, page, &settings), "{host}");
    }
    assert!(is_inside("", page, &settings), "no referrer is none from outside");
    assert!(!is_inside("other-shop.vn", None, &settings));

    // The site's list takes the place of the default one; its own hosts stay.
    settings.excluded_referrers =
        ["https://Pay.example/x", "*.bank.vn", " ", "."].map(str::to_owned).to_vec();
    for host in ["pay.example", "a.pay.example", "bank.vn", "3ds.bank.vn", "shop.vn"] {
        assert!(is_inside(host, page, &settings), "{host}");
    }
    for host in ["vnpay.vn", "accounts.google.com", "example"] {
        assert!(!is_inside(host, page, &settings), "{host}");
    }
}

#[test]
fn the_documented_table_is_the_one_that_runs() {
    let text = include_str!("../../docs/channels.md");
    let documented: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>())
        .filter(|cells| cells.first().is_some_and(|cell| cell.parse::<u8>().is_ok()))
        .collect();
    let own = documented.iter().filter(|cells| cells[0] == "2").count();
    let mut defaults = documented.iter().filter(|cells| cells[0] != "2");
    assert_eq!((own, documented.len()), (1, 21));
    for channel in default_channels() {
        let cells = defaults.next().unwrap();
        let expected = [&channel.rule.to_string(), channel.name, channel.group.as_str()];
        assert_eq!([cells[0], cells[2], cells[3]], expected);
        for example in cells[4].split(',').filter(|example| !example.trim().is_empty()) {
            let mut tags = example.trim().trim_matches('`').split('/');
            let mut next = || tags.next().unwrap_or_default();
            check([next(), next(), next()], channel.name);
        }
    }
}
