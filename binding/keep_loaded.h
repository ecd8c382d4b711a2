// Keeps the addon in memory until the process ends. Node unloads it with the last worker thread that used it,
// while threads of ours may still be returning from its code. On Linux the linker flag -z nodelete does this.
#pragma once

void KeepLoaded();
