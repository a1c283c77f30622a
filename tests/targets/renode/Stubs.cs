// What peripherals.cs uses of Renode, reduced to what a test needs: the same names, signatures and namespaces. The
// program after it does to the peripherals what a CPU would, as its standard input says.
using System;
using System.Collections.Generic;
using System.IO;
using System.Runtime.InteropServices;
using Antmicro.Renode.Core;
using Antmicro.Renode.Peripherals;
using Antmicro.Renode.Peripherals.Bus;
using Antmicro.Renode.Peripherals.CPU;
using Antmicro.Renode.Peripherals.Memory;
using Antmicro.Renode.Peripherals.Miscellaneous;

namespace Antmicro.Renode.Core
{
    public interface IEmulationElement
    {
    }

    public interface IMappedSegment
    {
        IntPtr Pointer { get; }
        ulong StartingOffset { get; }
        ulong Size { get; }
        void Touch();
    }
}

namespace Antmicro.Renode.Exceptions
{
    public class ConstructionException : Exception
    {
        public ConstructionException(string message) : base(message)
        {
        }
    }
}

namespace Antmicro.Renode.Logging
{
    public static class Logger
    {
        public static void LogUnhandledRead(this IPeripheral peripheral, long offset)
        {
            Console.WriteLine("unhandled read {0}", offset);
        }

        public static void LogUnhandledWrite(this IPeripheral peripheral, long offset, ulong value)
        {
            Console.WriteLine("unhandled write {0} {1}", offset, value);
        }
    }
}

namespace Antmicro.Renode.Peripherals
{
    public interface IPeripheral : IEmulationElement
    {
        void Reset();
    }

    public interface IKnownSize : IBusPeripheral
    {
        long Size { get; }
    }
}

namespace Antmicro.Renode.Peripherals.Bus
{
    public interface IBusPeripheral : IPeripheral
    {
    }

    public interface IDoubleWordPeripheral : IBusPeripheral
    {
        uint ReadDoubleWord(long offset);
        void WriteDoubleWord(long offset, uint value);
    }
}

namespace Antmicro.Renode.Peripherals.CPU
{
    public interface ICPU : IPeripheral
    {
        ulong ExecutedInstructions { get; }
    }
}

namespace Antmicro.Renode.Peripherals.Memory
{
    public class MappedMemory : IKnownSize
    {
        public MappedMemory(long size)
        {
            Size = size;
        }

        public void Reset()
        {
        }

        public long Size { get; private set; }

        public IEnumerable<IMappedSegment> MappedSegments
        {
            get { return new IMappedSegment[] { segment ?? (segment = new Segment((int)Size)) }; }
        }

        private IMappedSegment segment;

        private class Segment : IMappedSegment
        {
            public Segment(int size)
            {
                this.size = size;
            }

            public void Touch()
            {
                if(Pointer == IntPtr.Zero)
                {
                    Pointer = Marshal.AllocHGlobal(size);
                }
            }

            public IntPtr Pointer { get; private set; }
            public ulong StartingOffset { get { return 0; } }
            public ulong Size { get { return (ulong)size; } }

            private readonly int size;
        }
    }
}

namespace Antmicro.Renode.Utilities
{
    public static class SharedLibraries
    {
        public static IntPtr LoadLibrary(string path)
        {
            var address = dlopen(path, 2);
            if(address == IntPtr.Zero)
            {
                throw new InvalidOperationException("no library " + path);
            }
            return address;
        }

        public static IntPtr GetSymbolAddress(IntPtr libraryAddress, string name)
        {
            return dlsym(libraryAddress, name);
        }

        [DllImport("libdl.so.2")]
        private static extern IntPtr dlopen(string file, int mode);

        [DllImport("libdl.so.2")]
        private static extern IntPtr dlsym(IntPtr handle, string name);
    }
}

public class Processor : ICPU
{
    public void Reset()
    {
    }

    public ulong ExecutedInstructions { get; set; }
}

// Arguments: library, base address and bytes of memory. Commands: load FILE, save FILE, read|write PERIPHERAL OFFSET
// [VALUE], count INSTRUCTIONS, reset.
public static class Program
{
    public static int Main(string[] arguments)
    {
        var memory = new MappedMemory(long.Parse(arguments[2]));
        var processor = new Processor();
        var peripherals = new Dictionary<string, IDoubleWordPeripheral>();
        try
        {
            peripherals["accelerator"] =
                new FloatsocAccelerator(memory, uint.Parse(arguments[1]), arguments[0], 0, 4, 8, 12);
        }
        catch(Antmicro.Renode.Exceptions.ConstructionException e)
        {
            Console.WriteLine("refused: " + e.Message);
            return 1;
        }
        peripherals["counter"] = new FloatsocCycleCounter(processor, 0, 4);
        var pointer = default(IntPtr);
        foreach(var segment in memory.MappedSegments)
        {
            pointer = segment.Pointer;
        }

        for(var line = Console.ReadLine(); line != null; line = Console.ReadLine())
        {
            var words = line.Split(' ');
            switch(words[0])
            {
            case "load":
                var data = File.ReadAllBytes(words[1]);
                Marshal.Copy(data, 0, pointer, data.Length);
                break;
            case "save":
                var saved = new byte[memory.Size];
                Marshal.Copy(pointer, saved, 0, saved.Length);
                File.WriteAllBytes(words[1], saved);
                break;
            case "read":
                Console.WriteLine(peripherals[words[1]].ReadDoubleWord(long.Parse(words[2])));
                break;
            case "write":
                peripherals[words[1]].WriteDoubleWord(long.Parse(words[2]), uint.Parse(words[3]));
                break;
            case "count":
                processor.ExecutedInstructions += ulong.Parse(words[1]);
                break;
            case "reset":
                foreach(var peripheral in peripherals.Values)
                {
                    peripheral.Reset();
                }
                break;
            }
        }
        return 0;
    }
}
