/** The sign of the project. */
export function Logo() {
  return (
    <svg class="logo" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <rect width="32" height="32" rx="8" />
      <path d="M10 25V9.5M10 9.5 8 6M10 9.5 13.5 6.500V12H19a3.500 3.500 0 0 1 3.500 3.500V25M15 25v-5h3" />
    </svg>
  );
}
