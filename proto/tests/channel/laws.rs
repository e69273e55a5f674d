//! Laws of channels that hold for every input.

use edgetally_proto::campaign::{Campaign, fold};
use edgetally_proto::channel::{
    Arrival, Channel, ClickId, channel, default_channels, is_inside, source_of_host, source_of_tag,
    untagged,
};
use edgetally_proto::settings::SiteSettings;
use proptest::prelude::*;

fn graded(source: &str, medium: &str, name: &str, click_id: Option<ClickId>) -> Channel<'static> {
    let campaign = super::tagged(source, medium, name);
    channel(&Arrival { campaign: Some(&campaign), click_id }, &[])
}

/// Texts that come near the rules, and any other.
fn text() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "google", "fb", "ads", "ad", "cpc", "paid", "shop", "email", "social", "push", "direct",
        "(none)", ".com", ".vn", ".", "-", " ", "video", "Tết", "ppc", "organic", "",
    ]);
    let near = prop::collection::vec(words, 0..4).prop_map(|words| words.concat());
    prop_oneof![near, any::<String>()]
}

fn click_id() -> impl Strategy<Value = Option<ClickId>> {
    prop::sample::select(vec!["gclid", "msclkid", "ttclid", "fbclid", "none"])
        .prop_map(ClickId::of_parameter)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Every input has one of the default channels.
    #[test]
    fn every_arrival_has_a_channel(
        source in text(), medium in text(), name in text(), click in click_id(),
    ) {
        let given = graded(&source, &medium, &name, click);
        prop_assert!(default_channels().any(|channel| channel == given), "{:?}", given);
    }

    /// Folded or not, padded or not, it is the same campaign.
    #[test]
    fn case_and_outer_blanks_make_no_difference(
        source in "[a-zA-Z!.() _-]{0,20}", medium in "[a-zA-Z!.() _-]{0,12}",
        name in "[a-zA-Z!.() _-]{0,12}",
    ) {
        let given = graded(&source, &medium, &name, None);
        let loud = |text: &str| format!(" {}\t", text.to_uppercase());
        prop_assert_eq!(graded(&loud(&source), &loud(&medium), &loud(&name), None), given);
        prop_assert_eq!(graded(&fold(&source), &fold(&medium), &fold(&name), None), given);
    }

    /// No text makes a look-up panic, and what it finds has a name in lower case.
    #[test]
    fn any_text_is_looked_up(host in text(), page in text()) {
        let found = [source_of_host(&host), source_of_tag(&host).map(|tag| tag.source)];
        for source in found.into_iter().flatten() {
            prop_assert_eq!(fold(source.name), source.name);
        }
        let campaign = untagged(&host);
        prop_assert!(["organic", "social", "referral"].contains(&&*campaign.medium));
        let _answered = is_inside(&host, Some(&page), &SiteSettings::default());
    }

    /// Own hosts, their subdomains and nothing that merely ends alike.
    #[test]
    fn subdomains_are_inside(label in "[a-z0-9]{1,8}", own in "[a-z]{3,8}\\.test") {
        let settings = SiteSettings { own_hosts: vec![own.clone()], ..SiteSettings::default() };
        let below = format!("{label}.{own}");
        let alike = format!("{label}{own}");
        prop_assert!(is_inside(&below, None, &settings));
        prop_assert!(!is_inside(&alike, None, &settings));
    }

    /// A tag for the shop's own table wins whatever it is, unless the visit is direct.
    #[test]
    fn a_rule_for_every_source_takes_all_but_direct(
        source in text(), medium in text(), name in text(),
    ) {
        let everything = [edgetally_proto::settings::ChannelRule {
            channel: "Everything".to_owned(),
            ..Default::default()
        }];
        let campaign: Campaign = super::tagged(&source, &medium, &name);
        let arrival = Arrival { campaign: Some(&campaign), click_id: None };
        let (own, default) = (channel(&arrival, &everything), channel(&arrival, &[]));
        let expected = if default.rule == 1 { "Direct" } else { "Everything" };
        prop_assert_eq!(own.name, expected);
    }
}
