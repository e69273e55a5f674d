/** Product drawings: a few shapes each, in the colours of the product's hue. */

const SHAPES = {
  laptop: `<rect class="d" x="44" y="44" width="112" height="76" rx="7"/>
    <rect class="g" x="51" y="51" width="98" height="62" rx="3"/>
    <path class="m" d="M28 122h144l8 15a4 4 0 0 1-4 6H24a4 4 0 0 1-4-6z"/>
    <rect class="l" x="84" y="126" width="32" height="6" rx="3"/>`,
  phone: `<rect class="d" x="66" y="26" width="68" height="140" rx="14"/>
    <rect class="g" x="72" y="33" width="56" height="126" rx="9"/>
    <rect class="d" x="88" y="38" width="24" height="6" rx="3"/>
    <circle class="l" cx="100" cy="112" r="20"/><path class="m" d="M94 102l18 10-18 10z"/>`,
  headphones: `<path class="o" d="M46 116v-16a54 54 0 0 1 108 0v16"/>
    <rect class="m" x="34" y="104" width="30" height="48" rx="13"/>
    <rect class="m" x="136" y="104" width="30" height="48" rx="13"/>
    <rect class="d" x="56" y="108" width="10" height="40" rx="5"/>
    <rect class="d" x="134" y="108" width="10" height="40" rx="5"/>`,
  watch: `<path class="m" d="M80 26h40l6 40H74zM74 126h52l-6 40H80z"/>
    <rect class="d" x="62" y="56" width="76" height="80" rx="22"/>
    <rect class="g" x="69" y="63" width="62" height="66" rx="16"/>
    <path class="w" d="M78 100h10l6-16 10 28 7-18 3 6h8"/>
    <rect class="d" x="138" y="86" width="7" height="20" rx="3"/>`,
  tv: `<rect class="d" x="22" y="44" width="156" height="94" rx="7"/>
    <rect class="g" x="28" y="50" width="144" height="82" rx="3"/>
    <path class="l" d="M28 118l38-34 26 22 32-38 48 48v16H28z"/>
    <path class="m" d="M70 138h10l-4 16H64zM120 138h10l6 16h-12z"/>`,
  coffee: `<path class="d" d="M52 34h96v30H52z"/><path class="m" d="M60 64h34v96H60z"/>
    <rect class="m" x="52" y="150" width="100" height="16" rx="5"/>
    <rect class="d" x="108" y="64" width="26" height="12" rx="3"/>
    <path class="l" d="M100 112h40v16a16 16 0 0 1-16 16h-8a16 16 0 0 1-16-16z"/>
    <path class="w" d="M121 80v26M140 118h8a7 7 0 0 1 0 14h-9"/>
    <circle class="l" cx="72" cy="49" r="6"/><circle class="l" cx="92" cy="49" r="6"/>`,
  keyboard: `<rect class="d" x="20" y="66" width="160" height="72" rx="10"/>
    ${[0, 1, 2].map((row) => [0, 1, 2, 3, 4, 5, 6, 7].map((key) =>
      `<rect class="${(row + key) % 5 ? "g" : "l"}" x="${30 + key * 18}" y="${75 + row * 18}"
        width="14" height="14" rx="3"/>`).join("")).join("")}
    <rect class="m" x="62" y="129" width="76" height="5" rx="2"/>`,
  speaker: `<rect class="m" x="58" y="30" width="84" height="138" rx="22"/>
    <circle class="d" cx="100" cy="116" r="33"/><circle class="g" cx="100" cy="116" r="20"/>
    <circle class="d" cx="100" cy="60" r="17"/><circle class="l" cx="100" cy="60" r="8"/>`,
  cooker: `<path class="m" d="M36 86h128v40a34 34 0 0 1-34 34H70a34 34 0 0 1-34-34z"/>
    <path class="d" d="M40 80a60 40 0 0 1 120 0z"/>
    <rect class="l" x="88" y="32" width="24" height="12" rx="6"/>
    <rect class="g" x="72" y="100" width="56" height="30" rx="8"/>
    <circle class="l" cx="86" cy="115" r="6"/>
    <path class="w" d="M100 112h20M100 119h14"/>`,
  chair: `<rect class="m" x="66" y="24" width="68" height="78" rx="18"/>
    <path class="w" d="M78 46h44M78 60h44M78 74h44"/>
    <rect class="d" x="54" y="106" width="92" height="20" rx="10"/>
    <path class="o" d="M100 126v26M62 166l38-14 38 14"/><path class="o" d="M48 76v22M152 76v22"/>`,
  lamp: `<path class="m" d="M96 30l52 38-34 22-30-36z"/><path class="o" d="M92 66L66 104l34 46"/>
    <rect class="d" x="64" y="150" width="72" height="14" rx="7"/>
    <circle class="l" cx="128" cy="84" r="12"/>`,
};

/** The drawing of a product as an SVG element's text; decorative, its name stands beside it. */
export const art = ({ art: name, hue }) =>
  `<svg class="art" viewBox="0 0 200 190" style="--hue:${hue}" aria-hidden="true">
    <ellipse class="s" cx="100" cy="172" rx="74" ry="7"/>${SHAPES[name]}</svg>`;
