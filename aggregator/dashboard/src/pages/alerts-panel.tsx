// Alerts on the live page: the newest first, as they begin and end.

import { board, beat } from "../live/follow.ts";
import type { LiveAlert } from "../live/board.ts";
import { t } from "../store.ts";
import { Panel } from "../ui/states.tsx";
import { clockOf } from "../zone.ts";

/** What is known of the stream; drawn anew with every beat. */
const known = (): LiveAlert[] => (beat.value >= 0 ? board.current.alerts : []);

/** The newest alerts of the site. */
export function AlertsFeed() {
  const alerts = known();
  return (
    <Panel title={t("alerts")} name="alerts-feed">
      <ol id="alert-feed" tabIndex={0} aria-label={t("alerts")} aria-live="polite">
        {alerts.map((alert) => (
          <li key={alert.id} data-alert={alert.id} data-state={alert.state}>
            <b>
              {alert.rule} · {alert.severity}
            </b>
            <time>{clockOf(alert.at)}</time>
            <small>
              {alert.state === "resolved" ? `${t("alertOver")} · ` : ""}
              {alert.message}
            </small>
          </li>
        ))}
      </ol>
      {!alerts.length && <p class="empty">{t("noAlerts")}</p>}
    </Panel>
  );
}
