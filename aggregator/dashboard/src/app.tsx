// The frame of all pages: where one can go, which site, which period, and how it stands with the
// aggregator.

import { useEffect } from "preact/hooks";
import type { ComponentType } from "preact";
import { useAsked } from "./asked.ts";
import { failing } from "./asked.ts";
import { Door } from "./door.tsx";
import { Keys, useKeys } from "./keys.tsx";
import { PAGES, type Page } from "./place.ts";
import { changeSite, isClosed, leave, session } from "./session.ts";
import { askFacts, facts, go, language, linkTo, look, place, t, type Look } from "./store.ts";
import { Answer } from "./ui/states.tsx";
import { Bar } from "./ui/filters.tsx";
import { AcquisitionPage } from "./pages/acquisition.tsx";
import { FunnelPage } from "./pages/funnel.tsx";
import { LivePage } from "./pages/live.tsx";
import { OrdersPage } from "./pages/orders.tsx";
import { OverviewPage } from "./pages/overview.tsx";
import { PeoplePage } from "./pages/people.tsx";
import { ProductsPage } from "./pages/products.tsx";
import { QualityPage } from "./pages/quality.tsx";
import { SettingsPage } from "./pages/settings.tsx";
import icon from "./icon.svg";

const SHOWN: Record<Page, ComponentType> = {
  live: LivePage,
  overview: OverviewPage,
  acquisition: AcquisitionPage,
  products: ProductsPage,
  funnel: FunnelPage,
  orders: OrdersPage,
  people: PeoplePage,
  quality: QualityPage,
  settings: SettingsPage,
};

/** Pages of this moment, or of the site as a whole: a period means nothing there. */
const TIMELESS: Page[] = ["live", "settings"];

/** Facts of the site change with its day; they are asked for so often. */
const FACTS_EVERY_MS = 60_000;

/** A link within the dashboard: the page stays, unless a new tab is asked for. */
export function PageLink(props: {
  to: Parameters<typeof linkTo>[0];
  children: preact.ComponentChildren;
  isCurrent?: boolean;
  name?: string;
}) {
  const follow = (event: MouseEvent) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
    event.preventDefault();
    go(props.to);
  };
  const current = props.isCurrent ? { "aria-current": "page" as const } : {};
  return (
    <a href={linkTo(props.to)} onClick={follow} data-testid={props.name} {...current}>
      {props.children}
    </a>
  );
}

function Navigation() {
  return (
    <nav aria-label={t("pages")}>
      <ul>
        {PAGES.map((page) => (
          <li key={page}>
            <PageLink
              to={{ page, more: {} }}
              isCurrent={place.value.page === page}
              name={`nav-${page}`}
            >
              {t(page)}
            </PageLink>
          </li>
        ))}
      </ul>
    </nav>
  );
}

function SiteName() {
  const { site, sites } = session.value;
  if (!sites || sites.length < 2) return <span id="site-name">{site}</span>;
  const choose = (name: string) => {
    changeSite(name);
    go({ site: name, filters: [], more: {} });
  };
  return (
    <select
      id="site-name"
      aria-label={t("site")}
      value={site}
      onChange={(event) => choose(event.currentTarget.value)}
    >
      {sites.map((name) => (
        <option key={name}>{name}</option>
      ))}
    </select>
  );
}

const LOOKS: Look[] = ["system", "light", "dark"];

function Preferences() {
  const next = LOOKS[(LOOKS.indexOf(look.value) + 1) % LOOKS.length] ?? "system";
  return (
    <div class="preferences">
      <button
        type="button"
        class="quiet"
        data-testid="language"
        onClick={() => (language.value = language.value === "en" ? "vi" : "en")}
      >
        {language.value === "en" ? "Tiếng Việt" : "English"}
      </button>
      <button type="button" class="quiet" data-testid="look" onClick={() => (look.value = next)}>
        {t("look")}: {t(look.value)}
      </button>
      <button type="button" class="quiet" id="leave" onClick={() => leave("")}>
        {session.value.isLoggedIn ? t("logOut") : t("changeKey")}
      </button>
    </div>
  );
}

function Site() {
  const known = useAsked(session.value.site, askFacts, FACTS_EVERY_MS);
  const { page } = place.value;
  const Shown = SHOWN[page];
  return (
    <>
      {failing.value > 0 && (
        <p class="failing" role="status">
          {t("reconnecting")}
        </p>
      )}
      {!TIMELESS.includes(page) && facts.value && <Bar />}
      <main id="main" data-page={page} tabIndex={-1}>
        <h1 class="unseen">{t(page)}</h1>
        {facts.value ? <Shown /> : <Answer of={known}>{() => null}</Answer>}
      </main>
    </>
  );
}

/** Everything. */
export function App() {
  const { site } = session.value;
  const isOut = isClosed(session.value);
  const { page, more } = place.value;
  useKeys(!isOut);
  useEffect(() => {
    document.title = isOut ? "Edgetally" : `${site} · ${t(page)} · Edgetally`;
  });
  if (isOut) return <Door />;
  const isWall = page === "live" && more.wall === "1";
  return (
    <div class={isWall ? "frame wall" : "frame"}>
      <a class="skip" href="#main">
        {t("skip")}
      </a>
      <header>
        <p class="brand">
          <img src={icon} alt="" width="24" height="24" /> Edgetally
        </p>
        <SiteName />
        <Navigation />
        <Preferences />
      </header>
      <div class="content">
        <Site key={site} />
      </div>
      <Keys />
    </div>
  );
}
