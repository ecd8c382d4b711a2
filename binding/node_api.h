// The one place that includes node-addon-api, so that its settings are the same everywhere.
#pragma once

#include <napi.h>
