# Document InspectWindows: what VSS would find on this host. Changes nothing.
#
# Facts only, no judgement: what they mean is decided in lambdas/inspect-host, where it can be tested. Windows PowerShell
# 5.1. Cmdlets, operators and properties alone, no .NET methods or types, so that it can still say so where PowerShell is
# kept in ConstrainedLanguage. stdout is one JSON document.

$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
$Contract = 1

function Get-HostFacts {
    $os = Get-CimInstance -ClassName Win32_OperatingSystem
    $uptime = New-TimeSpan -Start $os.LastBootUpTime -End (Get-Date)
    @{
        booted        = Get-Date -Date $os.LastBootUpTime -Format 'yyyy-MM-ddTHH:mm:ss'
        uptime        = $uptime.TotalSeconds
        os            = $os.Caption
        build         = [int]$os.BuildNumber
        powerShell    = "$($PSVersionTable.PSVersion)"
        languageMode  = "$($ExecutionContext.SessionState.LanguageMode)"
        dotNetRelease = Get-DotNetRelease
        components    = Get-ComponentsVersion
    }
}

function Get-DotNetRelease {
    $key = 'HKLM:\SOFTWARE\Microsoft\NET Framework Setup\NDP\v4\Full'
    $release = (Get-ItemProperty -Path $key -ErrorAction SilentlyContinue).Release
    if ($null -eq $release) { 0 } else { [int]$release }
}

# AwsVssComponents always lie here; without a version they are as good as missing, since installing them again does no harm.
function Get-ComponentsVersion {
    $agent = Get-Item -Path "$env:ProgramFiles\Amazon\AwsVssComponents\ec2-vss-agent.exe" -ErrorAction SilentlyContinue
    "$($agent.VersionInfo.ProductVersion)" -replace '[^0-9.].*$', ''
}

# Get-PhysicalDisk knows members of storage pools, which Get-Disk hides.
function Get-DiskFacts {
    $drives = @(Get-CimInstance -ClassName Win32_DiskDrive)
    $dynamic = @(Get-DynamicDiskNumbers)
    foreach ($disk in @(Get-PhysicalDisk)) {
        if ("$($disk.BusType)" -eq 'Spaces' -or "$($disk.DeviceId)" -notmatch '^\d+$') { continue }
        $number = [int]$disk.DeviceId
        $drive = $drives | Where-Object { $_.Index -eq $number } | Select-Object -First 1
        $target = -1
        if ($null -ne $drive -and $null -ne $drive.SCSITargetId) { $target = [int]$drive.SCSITargetId }
        @{
            number  = $number
            serial  = "$($disk.SerialNumber)"
            model   = "$($disk.FriendlyName)"
            bus     = "$($disk.BusType)"
            target  = $target
            dynamic = $dynamic -contains $number
        }
    }
}

# The partitions of a Dynamic Disk belong to the Logical Disk Manager: type 0x42 on MBR, two GUIDs of its own on GPT.
function Get-DynamicDiskNumbers {
    $ldm = '{5808c8aa-7e8f-42e0-85d2-e1e90434cfb3}', '{af9b60a0-1431-4f62-bc68-3311714a69ad}'
    Get-Partition -ErrorAction SilentlyContinue |
        Where-Object { $_.MbrType -eq 0x42 -or $ldm -contains "$($_.GptType)" } |
        ForEach-Object { [int]$_.DiskNumber }
    # An older provider, which names what the newer one may pass over.
    Get-CimInstance -ClassName Win32_DiskPartition |
        Where-Object { $_.Type -match 'Logical Disk Manager' } |
        ForEach-Object { [int]$_.DiskIndex }
}

# diskpart shows members of the group that are gone as M0, M1 and so on, in every language.
function Get-MissingDynamicDisks {
    @('list disk' | & "$env:SystemRoot\System32\diskpart.exe" | Where-Object { $_ -match '\sM\d+\s' }).Count
}

# Win32_Volume has what lies on Dynamic Disks as well; which disks, only Get-Partition knows, and not of those.
function Get-VolumeFacts {
    $partitions = @(Get-Partition -ErrorAction SilentlyContinue)
    foreach ($volume in @(Get-CimInstance -ClassName Win32_Volume -Filter 'DriveType = 3')) {
        $on = @($partitions | Where-Object { $_.AccessPaths -contains $volume.DeviceID })
        $mount = "$($volume.Name)"
        if ($mount -eq "$($volume.DeviceID)") { $mount = '' }
        @{
            mount = $mount
            guid  = "$($volume.DeviceID)"
            type  = "$($volume.FileSystem)"
            disks = @($on | ForEach-Object { [int]$_.DiskNumber })
        }
    }
}

function Get-PoolFacts {
    foreach ($pool in @(Get-StoragePool -IsPrimordial $false -ErrorAction SilentlyContinue)) {
        $members = @(Get-PhysicalDisk -StoragePool $pool -ErrorAction SilentlyContinue)
        $spaces = @(Get-VirtualDisk -StoragePool $pool -ErrorAction SilentlyContinue |
                Get-Disk -ErrorAction SilentlyContinue)
        @{
            name   = "$($pool.FriendlyName)"
            id     = "$($pool.UniqueId)"
            health = "$($pool.HealthStatus)"
            disks  = @($members | Where-Object { "$($_.DeviceId)" -match '^\d+$' } | ForEach-Object { [int]$_.DeviceId })
            spaces = @($spaces | ForEach-Object { [int]$_.Number })
        }
    }
}

# The words are translated, their order is not: a name in quotes, a state in brackets, the last error behind a colon.
function Get-WriterFacts {
    $name = ''
    $state = 0
    foreach ($line in @(& "$env:SystemRoot\System32\vssadmin.exe" list writers)) {
        if ($line -match '^\S.*?[''"](.+)[''"]\s*$') {
            $name = $Matches[1]
            $state = 0
        } elseif ($name -and $line -match '\[(\d+)\]') {
            $state = [int]$Matches[1]
        } elseif ($name -and $state -and $line -match ':\s*(.+?)\s*$') {
            @{ name = $name; state = $state; error = $Matches[1] }
            $name = ''
        }
    }
}

function Get-ServiceFacts {
    $told = '^(MSSQL|SQLWriter$|MSExchangeIS$|SPTimerV4$|OSearch|SPSearch|NTDS$|OracleService|mysql|mariadb|postgresql|mongodb|redis)'
    foreach ($service in @(Get-CimInstance -ClassName Win32_Service -Filter "State = 'Running'")) {
        if ($service.Name -notmatch $told) { continue }
        # The program alone: what follows it may hold a secret.
        $path = "$($service.PathName)"
        if ($path -match '^"([^"]+)"' -or $path -match '^(.+?\.exe)') { $path = $Matches[1] }
        @{ name = "$($service.Name)"; path = $path }
    }
}

function Get-SqlServerFacts {
    $root = 'HKLM:\SOFTWARE\Microsoft\Microsoft SQL Server'
    $instances = Get-Item -Path "$root\Instance Names\SQL" -ErrorAction SilentlyContinue
    if ($null -eq $instances) { return }
    foreach ($name in $instances.Property) {
        $id = (Get-ItemProperty -Path "$root\Instance Names\SQL").$name
        $setup = Get-ItemProperty -Path "$root\$id\Setup" -ErrorAction SilentlyContinue
        $server = Get-ItemProperty -Path "$root\$id\MSSQLServer" -ErrorAction SilentlyContinue
        $dataDir = "$($server.DefaultData)"
        if (-not $dataDir) { $dataDir = "$($setup.SQLDataRoot)" }
        @{ name = "$name"; version = "$($setup.Version)"; dataDir = $dataDir }
    }
}

function Write-Failure([int]$Code, [string]$Name, [string]$Message) {
    ConvertTo-Json -Compress -InputObject @{ contract = $Contract; error = @{ code = $Name; message = $Message } }
    exit $Code
}

function Write-Answer {
    if ($PSVersionTable.PSVersion.Major -lt 5) {
        Write-Failure 11 'HostUnfit' "Windows PowerShell 5.1 is needed, and this is $($PSVersionTable.PSVersion); update it"
    }
    $answer = Get-HostFacts
    $answer.contract = $Contract
    $answer.disks = @(Get-DiskFacts)
    $answer.volumes = @(Get-VolumeFacts)
    $answer.pools = @(Get-PoolFacts)
    $answer.dynamicMissing = 0
    if (@($answer.disks | Where-Object { $_.dynamic }).Count) { $answer.dynamicMissing = Get-MissingDynamicDisks }
    $answer.writers = @(Get-WriterFacts)
    $answer.services = @(Get-ServiceFacts)
    $answer.sqlServers = @(Get-SqlServerFacts)
    $json = ConvertTo-Json -InputObject $answer -Depth 5 -Compress
    # The agent cuts at 24,000 characters, and what was cut is no answer.
    if ($json.Length -gt 20000) {
        Write-Failure 11 'HostUnfit' "this host has $($answer.volumes.Count) volumes on $($answer.disks.Count) disks: too much for one answer of the SSM agent"
    }
    $json
}

try {
    Write-Answer
} catch {
    Write-Failure 25 'Internal' "line $($_.InvocationInfo.ScriptLineNumber): $($_.Exception.Message)"
}
