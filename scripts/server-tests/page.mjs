export function writePage() { return 'later'; }
