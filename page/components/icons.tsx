const paths = {
  plus: 'M12 5v14M5 12h14',
  send: 'M12 19V5M6 11l6-6 6 6',
  stop: 'M8 8h8v8H8z',
  copy: 'M9 9h10v11H9zM5 15V4h10',
  check: 'M5 13l4.5 4.5L19 7',
  pencil: 'M4 20l1-4L16 5l3 3L8 19l-4 1zM14 7l3 3',
  refresh: 'M20 11a8 8 0 1 0-2.3 5.7M20 5v6h-6',
  trash: 'M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13M10 11v5M14 11v5',
  left: 'M14 6l-6 6 6 6',
  right: 'M10 6l6 6-6 6',
  down: 'M12 5v14M6 13l6 6 6-6',
  menu: 'M4 7h16M4 12h16M4 17h16',
  close: 'M6 6l12 12M18 6L6 18',
  sliders: 'M4 8h9M19 8h1M4 16h3M13 16h7M16 5v6M10 13v6',
  gauge: 'M4 18a9 9 0 1 1 16 0M12 15l4-5',
  chat: 'M5 5h14v11H11l-4 4v-4H5z',
  search: 'M10.5 4a6.5 6.5 0 1 1 0 13 6.5 6.5 0 0 1 0-13zM15.5 15.5L20 20',
  download: 'M12 4v11M7 11l5 5 5-5M5 20h14',
  upload: 'M12 16V5M7 9l5-5 5 5M5 20h14',
  key: 'M8 11a4 4 0 1 1 0 8 4 4 0 0 1 0-8zM11 12l8-8M16 7l3 3',
  bulb: 'M9 18h6M10 21h4M8 14.5A6 6 0 1 1 16 14.5c-.6.6-1 1.300-1 2v1H9v-1c0-.7-.4-1.400-1-2z',
  chevron: 'M7 10l5 5 5-5',
  keyboard: 'M3 7h18v10H3zM7 11h.01M11 11h.01M15 11h.01M8 14h8',
  braces: 'M9 5C6 5 8 11 5 12c3 1 1 7 4 7M15 5c3 0 1 6 4 7-3 1-1 7-4 7',
  warning: 'M12 4l9 16H3zM12 10v4M12 17h.01',
  more: 'M6 12h.01M12 12h.01M18 12h.01',
} as const;

/** Name of an icon. */
export type IconName = keyof typeof paths;

/** A picture that says nothing to screen readers; the control it is in has a name. */
export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={paths[name]} />
    </svg>
  );
}
