// Money as the API tells it: a decimal text of one currency. It is never read as a float where it
// is shown, and amounts of different currencies are never added.

/** An amount; `amount` has exactly the digits of its currency. */
export interface Money {
  currency: string;
  amount: string;
}

const formats = new Map<string, Intl.NumberFormat>();

function formatOf(key: string, locale: string, options: Intl.NumberFormatOptions) {
  let format = formats.get(key);
  if (!format) formats.set(key, (format = new Intl.NumberFormat(locale, options)));
  return format;
}

/** The amount with all of its digits, as the language writes that currency. */
export function formatMoney({ currency, amount }: Money, locale: string): string {
  // The API's digits stand: its table of currencies may be newer than the browser's.
  const digits = /\.(\d+)$/.exec(amount)?.[1]?.length ?? 0;
  const format = formatOf(`${locale} ${currency} ${digits}`, locale, {
    style: "currency",
    currency,
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
  return format.format(amount as Intl.StringNumericLiteral);
}

/** A short form for axes and small screens, such as 25.9M ₫; never the only one that is shown. */
export function formatShort({ currency, amount }: Money, locale: string): string {
  const format = formatOf(`${locale} ${currency} short`, locale, {
    style: "currency",
    currency,
    notation: "compact",
    maximumFractionDigits: 1,
  });
  return format.format(amount as Intl.StringNumericLiteral);
}

/** The amounts side by side. */
export const formatAll = (all: Money[], locale: string): string =>
  all.map((one) => formatMoney(one, locale)).join(" · ");

/** How high a bar is: the only place where money is a float. */
export const heightOf = (money: Money | undefined): number => Number(money?.amount ?? 0);

/** The amount in one currency; nothing is an amount too. */
export const amountIn = (all: Money[] | null | undefined, currency: string): Money =>
  all?.find((one) => one.currency === currency) ?? { currency, amount: "0" };

/** Whether a value is a list of amounts. */
export const isMoney = (value: unknown): value is Money[] =>
  Array.isArray(value) && value.every((one) => typeof one === "object" && one && "amount" in one);
