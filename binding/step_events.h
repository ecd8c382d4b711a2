// What a step of the loop has to tell, as plain data.
#pragma once

#include "batch_loop.h"
#include "value_writer.h"

// An object of the shape `NativeStepEvents` in lib/native/types.ts.
void WriteEvents(ValueWriter& writer, const StepEvents& events);
