// The SoC's own peripherals in Renode, which compiles this file when it starts. What they do is not here: registers lie
// where the generated platform says, and the accelerator is a library made of the firmware's arithmetic.
using System;
using System.Linq;
using System.Runtime.InteropServices;
using Antmicro.Renode.Core;
using Antmicro.Renode.Exceptions;
using Antmicro.Renode.Logging;
using Antmicro.Renode.Peripherals.Bus;
using Antmicro.Renode.Peripherals.CPU;
using Antmicro.Renode.Peripherals.Memory;
using Antmicro.Renode.Utilities;

namespace Antmicro.Renode.Peripherals.Miscellaneous
{
    // A job takes no time: it is complete when the write to `submit` is, so that the queue is never full and never busy.
    public class FloatsocAccelerator : IDoubleWordPeripheral, IKnownSize
    {
        public FloatsocAccelerator(MappedMemory memory, uint memoryBase, string library, long submit, long status,
            long completed, long error)
        {
            this.memory = memory;
            this.memoryBase = memoryBase;
            this.submit = submit;
            this.status = status;
            this.completed = completed;
            this.error = error;
            try
            {
                var address = SharedLibraries.LoadLibrary(library);
                reset = Function<ResetFunction>(address, "accelerator_reset");
                run = Function<RunFunction>(address, "accelerator_run");
            }
            catch(InvalidOperationException e)
            {
                throw new ConstructionException("The accelerator's model cannot be loaded: " + e.Message);
            }
            Reset();
        }

        public void Reset()
        {
            // The library works on the memory that the CPU works on.
            var segment = memory.MappedSegments.Single();
            segment.Touch();
            reset(segment.Pointer, memoryBase, (uint)memory.Size);
            completedJobs = 0;
            lastError = 0;
        }

        public uint ReadDoubleWord(long offset)
        {
            if(offset == completed)
            {
                return completedJobs;
            }
            if(offset == error)
            {
                return lastError;
            }
            if(offset != status && offset != submit)
            {
                this.LogUnhandledRead(offset);
            }
            return 0;
        }

        public void WriteDoubleWord(long offset, uint value)
        {
            if(offset == submit)
            {
                var result = run(value);
                if(result != 0)
                {
                    lastError = result;
                }
                completedJobs = unchecked(completedJobs + 1);
            }
            else if(offset == error)
            {
                lastError = 0;
            }
            else
            {
                this.LogUnhandledWrite(offset, value);
            }
        }

        public long Size { get { return 0x100; } }

        private static T Function<T>(IntPtr address, string name) where T : class
        {
            return (T)(object)Marshal.GetDelegateForFunctionPointer(SharedLibraries.GetSymbolAddress(address, name), typeof(T));
        }

        private uint completedJobs;
        private uint lastError;

        private readonly MappedMemory memory;
        private readonly uint memoryBase;
        private readonly long submit;
        private readonly long status;
        private readonly long completed;
        private readonly long error;
        private readonly ResetFunction reset;
        private readonly RunFunction run;

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        private delegate void ResetFunction(IntPtr memory, uint memoryBase, uint size);

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        private delegate uint RunFunction(uint descriptor);
    }

    // Counts instructions in the place of cycles. A write to `latch` copies the count to `value`, upper word first.
    public class FloatsocCycleCounter : IDoubleWordPeripheral, IKnownSize
    {
        public FloatsocCycleCounter(ICPU cpu, long latch, long value)
        {
            this.cpu = cpu;
            this.latch = latch;
            this.value = value;
        }

        public void Reset()
        {
            latched = 0;
            start = cpu.ExecutedInstructions;
        }

        public uint ReadDoubleWord(long offset)
        {
            if(offset == value)
            {
                return (uint)(latched >> 32);
            }
            if(offset == value + 4)
            {
                return unchecked((uint)latched);
            }
            if(offset != latch)
            {
                this.LogUnhandledRead(offset);
            }
            return 0;
        }

        public void WriteDoubleWord(long offset, uint value)
        {
            if(offset == latch)
            {
                latched = cpu.ExecutedInstructions - start;
            }
            else
            {
                this.LogUnhandledWrite(offset, value);
            }
        }

        public long Size { get { return 0x100; } }

        private ulong start;
        private ulong latched;

        private readonly ICPU cpu;
        private readonly long latch;
        private readonly long value;
    }
}
